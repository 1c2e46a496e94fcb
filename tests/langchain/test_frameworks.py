"""Other agent frameworks that speak LangChain: tools are called, and coefficients arrive."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.prebuilt import create_react_agent
from langgraph.warnings import LangGraphDeprecatedSinceV10
from langgraph_supervisor import create_supervisor

from eft_integrations.langchain import ChatEFT
from tests.conftest import ROLES, llama, open_trio, save_trio
from tests.langchain.test_agents import ALPHA, STATE, alphas, look

MOVED = "moved to `langchain.agents`"


def first(agent: Any, num: int) -> list[BaseMessage]:
    """The first messages that a run adds; a model that must call would never end it."""
    parts = agent.stream(STATE, ALPHA, stream_mode="updates")
    added = (m for part in parts for step in part.values() if step for m in step["messages"])
    return list(islice(added, num))


def test_the_prebuilt_agent_of_langgraph(chat: ChatEFT) -> None:
    model = chat.with_options(max_tokens=40).bind(tool_choice="look")
    with pytest.warns(LangGraphDeprecatedSinceV10, match=MOVED):
        agent = create_react_agent(model, [look])
    call, result = first(agent, 2)
    assert isinstance(call, AIMessage)
    assert isinstance(result, ToolMessage)
    assert result.content == look(**call.tool_calls[0]["args"])
    assert alphas({"messages": [call]}) == [0.3]


def test_a_supervisor_hands_over_and_takes_back(chat: ChatEFT) -> None:
    model = chat.with_options(max_tokens=40).bind(tool_choice="any")
    worker: Any = create_agent(chat, name="worker")
    with pytest.warns(LangGraphDeprecatedSinceV10, match=MOVED):
        graph = create_supervisor([worker], model=model)
    messages = first(graph.compile(), 8)
    spoke = [m for m in messages if isinstance(m, AIMessage) and m.name == "worker"]
    assert "transfer_to_worker" in [m.name for m in messages if isinstance(m, ToolMessage)]
    assert alphas({"messages": spoke[:1]}) == [0.3]


def test_deepagents(tmp_path: Path, tokenizer: Any) -> None:
    deepagents = pytest.importorskip("deepagents")  # brings two providers' clients
    config = llama(tokenizer, max_position_embeddings=16_384)  # its prompt alone takes 6,000
    save_trio(tmp_path, tokenizer, dict.fromkeys(ROLES, config))
    with open_trio(tmp_path) as engine:
        agent = deepagents.create_deep_agent(ChatEFT(engine=engine, max_tokens=6), [look])
        assert alphas(agent.invoke(STATE, ALPHA)) == [0.3]
