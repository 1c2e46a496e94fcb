"""Agents: coefficients in every step, the provider's structured output, and LangGraph's streams."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic import BaseModel

from eft_integrations import InvalidRequest
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


@pytest.mark.parametrize("path", ["config", "bind", "with_alpha"])
@pytest.mark.parametrize("is_async", [False, True])
def test_alpha_reaches_an_agent_with_tools(chat: ChatEFT, path: str, is_async: bool) -> None:
    models: dict[str, Any] = {
        "config": chat,
        "bind": chat.bind(alpha=0.3),
        "with_alpha": chat.with_alpha(0.3),
    }
    agent = create_agent(models[path], [look])
    config = ALPHA if path == "config" else None
    run = asyncio.run(agent.ainvoke(STATE, config)) if is_async else agent.invoke(STATE, config)
    assert set(alphas(run)) == {0.3}


def test_messages_stream_through_langgraph(chat: ChatEFT) -> None:
    agent = create_agent(chat, [look])
    parts = [part for part, _ in agent.stream(STATE, ALPHA, stream_mode="messages")]
    chunks = [part for part in parts if isinstance(part, AIMessageChunk)]
    assert len(chunks) > 1
    assert chunks[-1].response_metadata["eft"]["alpha"] == 0.3


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
