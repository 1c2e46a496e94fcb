"""LlamaIndex: another alpha for a call, for a copy, for all that runs inside a block."""

import asyncio

from llama_index.core.chat_engine import SimpleChatEngine

from eft_integrations.llama_index import EFTLLM

QUESTION = "What is the capital of Japan?"

llm = EFTLLM(max_tokens=40, alpha=1.0)
print("call    ", llm.complete(QUESTION, alpha=0.0))
print("copy    ", llm.bind(alpha=0.5).complete(QUESTION))
with llm.override(alpha=1.5):
    print("override", SimpleChatEngine.from_defaults(llm=llm).chat(QUESTION))


async def main() -> None:
    alphas = [0.0, 0.5, 1.0]  # one engine batch, with a coefficient for each row
    rows = await asyncio.gather(*(llm.acomplete(QUESTION, alpha=alpha) for alpha in alphas))
    for alpha, row in zip(alphas, rows, strict=True):
        print(f"row {alpha:g}   ", row)


asyncio.run(main())
