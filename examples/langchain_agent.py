"""LangChain: an agent with two tools, near the base model for calls and tuned for answers."""

from langchain.agents import create_agent

from eft_integrations.langchain import ChatEFT, EFTAlphaMiddleware


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}, 21 degrees."


def add_numbers(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


agent = create_agent(
    ChatEFT(max_tokens=80),
    tools=[get_weather, add_numbers],
    middleware=[EFTAlphaMiddleware(tool_step=1.0, final=0.8)],
)
question = {"role": "user", "content": "Get the weather in the city Lisbon."}
for message in agent.invoke({"messages": [question]}, {"recursion_limit": 10})["messages"]:
    message.pretty_print()
