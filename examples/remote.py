"""Both faces over a server: start one with ``eft serve-vllm``, and name it in SERVER."""

import os

from pydantic import BaseModel

from eft_integrations.langchain import ChatEFT
from eft_integrations.llama_index import EFTLLM

URL = os.environ.get("SERVER", "http://localhost:8000/v1")
QUESTION = "What is the capital of Italy?"


class Person(BaseModel):
    """A person."""

    name: str
    age: int


model = ChatEFT(base_url=URL, max_tokens=40)
for alpha, answer in zip(
    (0.0, 0.5, 1.5),
    model.batch([QUESTION] * 3, [{"configurable": {"eft_alpha": a}} for a in (0.0, 0.5, 1.5)]),
    strict=True,
):
    print(f"alpha {alpha}: {answer.content}")

for chunk in model.stream(QUESTION, alpha=1.0):
    print(chunk.content, end="|", flush=True)

print("\n", model.with_structured_output(Person).invoke("Otto is 7 years old."))

llm = EFTLLM(base_url=URL, max_tokens=40)
with llm.override(alpha=0.5):
    print(llm.complete(QUESTION))
