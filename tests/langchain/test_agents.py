"""Agents: coefficients in every step, the provider's structured output, and LangGraph's streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from eft_integrations import Engine, InvalidRequest
from eft_integrations.langchain import ChatEFT, EFTAlphaMiddleware

STATE: Any = {"messages": [{"role": "user", "content": "Hello"}]}
ALPHA: Any = {"configurable": {"eft_alpha": 0.3}}


class Verdict(BaseModel):
    """A verdict."""

    is_good: bool
    grade: Literal["a", "b"]


def look(where: Literal["here", "there"]) -> str:
    """Look somewhere."""
    return f"nothing {where}"


def alphas(state: Any) -> list[Any]:
    answers = [m for m in state["messages"] if isinstance(m, AIMessage)]
    return [m.response_metadata["eft"].get("alpha") for m in answers]


@pytest.mark.parametrize("path", ["config", "bind", "with_alpha", "with_config", "fields"])
@pytest.mark.parametrize("is_async", [False, True])
def test_alpha_reaches_an_agent_with_tools(chat: ChatEFT, path: str, is_async: bool) -> None:
    models: dict[str, Any] = {
        "config": chat,
        "bind": chat.bind(alpha=0.3),
        "with_alpha": chat.with_alpha(0.3),
        "with_config": chat.with_config(ALPHA),
        "fields": chat.configurable_fields(alpha=ConfigurableField(id="eft")),
    }
    agent = create_agent(models[path], [look])
    configs: dict[str, Any] = {"config": ALPHA, "fields": {"configurable": {"eft": 0.3}}}
    config = configs.get(path)
    run = asyncio.run(agent.ainvoke(STATE, config)) if is_async else agent.invoke(STATE, config)
    assert set(alphas(run)) == {0.3}


def test_messages_stream_through_langgraph(chat: ChatEFT) -> None:
    agent = create_agent(chat, [look])
    parts = [part for part, _ in agent.stream(STATE, ALPHA, stream_mode="messages")]
    chunks = [part for part in parts if isinstance(part, AIMessageChunk)]
    assert len(chunks) > 1
    assert chunks[-1].response_metadata["eft"]["alpha"] == 0.3


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}."


def add_numbers(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


async def astreamed(agent: Any, state: Any) -> list[Any]:
    parts = [part async for part in agent.astream(state, stream_mode="updates")]
    return [message for part in parts for step in part.values() for message in step["messages"]]


def chunked(agent: Any, state: Any) -> list[Any]:
    """Messages added up from their chunks."""
    found: dict[str, Any] = {}
    for part, _ in agent.stream(state, stream_mode="messages"):
        found[part.id] = found[part.id] + part if part.id in found else part
    return list(found.values())


WAYS: dict[str, Callable[[Any, Any], list[Any]]] = {
    "invoke": lambda agent, state: agent.invoke(state)["messages"],
    "ainvoke": lambda agent, state: asyncio.run(agent.ainvoke(state))["messages"],
    "astream": lambda agent, state: asyncio.run(astreamed(agent, state)),
    "stream of chunks": chunked,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("request_", "name", "arguments", "result"),
    [
        ("Add 12 and 30.", "add_numbers", {"first": 12, "second": 30}, "42"),
        (
            "Get the weather in the city Lisbon.",
            "get_weather",
            {"city": "Lisbon"},
            "Sunny in Lisbon.",
        ),
    ],
    ids=["numbers", "weather"],
)
def test_an_agent_calls_with_the_right_arguments(
    family: Engine, way: str, request_: str, name: str, arguments: dict[str, Any], result: str
) -> None:
    agent = create_agent(ChatEFT(engine=family, max_tokens=80), [get_weather, add_numbers])
    messages = WAYS[way](agent, {"messages": [{"role": "user", "content": request_}]})
    calls = [call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    assert [(call["name"], call["args"]) for call in calls] == [(name, arguments)]
    assert [m.content for m in messages if isinstance(m, ToolMessage)] == [result]
    assert messages[-1].content


@pytest.mark.parametrize("tools", [[], [look]], ids=["alone", "with tools"])
def test_a_response_format_takes_the_providers_way(chat: ChatEFT, tools: list[Any]) -> None:
    forms: tuple[Any, ...] = (Verdict, ProviderStrategy(Verdict))
    for form in forms:
        model = chat.with_options(max_tokens=40, temperature=1.0, seed=1)
        agent = create_agent(model, tools, response_format=form)
        state = agent.invoke(STATE, {"recursion_limit": 50})
        assert isinstance(state["structured_response"], Verdict)


def test_middleware_sets_alpha_by_the_step(chat: ChatEFT) -> None:
    def alpha(request: Any) -> float:
        return 0.25 * len(request.messages)

    run = create_agent(chat, [look], middleware=[EFTAlphaMiddleware(alpha)]).invoke(STATE)
    assert alphas(run)[0] == 0.25
    steps = EFTAlphaMiddleware(tool_step=0.2, final=1.0)
    run = create_agent(chat, [look], middleware=[steps]).invoke(STATE)
    assert alphas(run)[0] == 0.2


def test_middleware_needs_a_rule() -> None:
    with pytest.raises(InvalidRequest, match="tool_step"):
        EFTAlphaMiddleware(tool_step=0.2)
