"""LlamaIndex: an agent with two tools; what it calls is held to their schemas."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult

from eft_integrations.llama_index import EFTLLM


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}, 21 degrees."


def add_numbers(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


async def main() -> None:
    agent = FunctionAgent(tools=[get_weather, add_numbers], llm=EFTLLM(max_tokens=80))
    handler = agent.run("What is the weather in Rome?", max_iterations=4)
    async for event in handler.stream_events():
        if isinstance(event, ToolCallResult):
            print(event.tool_name, event.tool_kwargs, "→", event.tool_output)
    print(await handler)


asyncio.run(main())
