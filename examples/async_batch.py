"""Many requests at once from asyncio: one engine batch, a mixture of its own for each."""

import asyncio

from eft_integrations import Engine
from eft_integrations.chat import render

COUNTRIES = ["France", "Japan", "Kenya", "Peru"]


async def main() -> None:
    with Engine.tiny() as engine:
        prompts = [
            render(engine, [{"role": "user", "content": f"What is the capital of {country}?"}])
            for country in COUNTRIES
        ]
        requests = (engine.agenerate(prompt, max_tokens=40) for prompt in prompts)
        answers = await asyncio.gather(*requests)
        for country, answer in zip(COUNTRIES, answers, strict=True):
            print(f"{country}: {answer.text}")
        print(f"{engine.stats().num_steps} steps for {engine.stats().num_tokens} tokens")


asyncio.run(main())
