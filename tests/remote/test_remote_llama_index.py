"""The remote face says what the local face says: LlamaIndex."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import Any, Literal

import pytest
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.loading import load_llm
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.conformance import LLMConformance
from tests.remote.test_remote_langchain import ALONE, about
from tests.served import MODEL, Endpoint

ASK = [ChatMessage(role="user", content="Hello")]
PROMPT = PromptTemplate("Write a thing about {topic}.")


class Thing(BaseModel):
    """A thing."""

    colour: Literal["red", "green"]
    is_new: bool


def paint(colour: str) -> str:
    """Paint the wall."""
    return colour


def wash(is_warm: bool) -> str:
    """Wash the wall."""
    return str(is_warm)


TOOLS = [FunctionTool.from_defaults(fn) for fn in (paint, wash)]


def pair(engine: Engine, endpoint: Endpoint, **fields: Any) -> tuple[EFTLLM, EFTLLM]:
    given = {"max_tokens": 6, **fields}
    return EFTLLM(engine=engine, **given, **ALONE), EFTLLM(base_url=endpoint.url, **given)


async def _last(stream: Any) -> Any:
    return [part async for part in await stream][-1]


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "chat": lambda m, o: m.chat(ASK, **o),
    "achat": lambda m, o: asyncio.run(m.achat(ASK, **o)),
    "stream_chat": lambda m, o: list(m.stream_chat(ASK, **o))[-1],
    "astream_chat": lambda m, o: asyncio.run(_last(m.astream_chat(ASK, **o))),
    "complete": lambda m, o: m.complete("Hello", **o),
    "acomplete": lambda m, o: asyncio.run(m.acomplete("Hello", formatted=True, **o)),
    "stream_complete": lambda m, o: list(m.stream_complete("Hello", formatted=True, **o))[-1],
}
ASKED: list[dict[str, Any]] = [
    {},
    {"alpha": 2.5},
    {"beta": 0.5, "temperature": 1.0, "seed": 2},
    {"top_logprobs": 2},
    {"regex": "[ab]{9}", "max_tokens": 12},
]


def plain(response: Any) -> dict[str, Any]:
    """All that a response tells, but who told it, and ids made at random."""
    told = response.model_dump(mode="json", exclude={"delta"})
    raw = {key: value for key, value in response.raw.items() if key != "model"}
    raw["eft"] = {key: value for key, value in raw["eft"].items() if key not in ALONE}
    for block in told.get("message", {}).get("blocks", []):
        block.pop("tool_call_id", None)
    told.get("message", {}).get("additional_kwargs", {}).pop("tool_calls", None)
    return {**told, "raw": raw}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_remote_model_says_what_the_local_one_says(
    engine: Engine, endpoint: Endpoint, asked: dict[str, Any], way: str
) -> None:
    local, remote = pair(engine, endpoint)
    found = WAYS[way](remote, asked)
    assert plain(found) == about(plain(WAYS[way](local, asked)))
    assert found.raw["model"] == MODEL


@pytest.mark.parametrize("choice", ["any", "wash", "none", None])
@pytest.mark.parametrize("parallel", [True, False])
def test_calls_are_the_same(
    engine: Engine, endpoint: Endpoint, choice: str | None, parallel: bool
) -> None:
    told = []
    for model in pair(engine, endpoint, max_tokens=48):
        keywords: dict[str, Any] = {"tool_choice": choice, "allow_parallel_tool_calls": parallel}
        told.append(model.chat_with_tools(TOOLS, "Hello", **keywords))
        *_, last = model.stream_chat_with_tools(TOOLS, "Hello", **keywords)
        told.append(last)
    assert len({str(plain(response)) for response in told}) == 1
    calls = [b for b in told[-1].message.blocks if isinstance(b, ToolCallBlock)]
    assert bool(calls) == (choice in ("any", "wash"))


def test_objects_are_the_same_whole_and_as_they_grow(engine: Engine, endpoint: Endpoint) -> None:
    local, remote = pair(engine, endpoint, max_tokens=48, temperature=2.0, seed=3)
    here, there = (m.structured_predict(Thing, PROMPT, topic="x") for m in (local, remote))
    assert here == there
    grown = [
        distinct(m.stream_structured_predict(Thing, PROMPT, topic="x")) for m in (local, remote)
    ]
    assert grown[0] == grown[1]


def distinct(parts: Any) -> list[dict[str, Any]]:
    """The end of a remote answer comes by itself."""
    return [part for part, _ in groupby(part.model_dump() for part in parts)]


def test_an_override_reaches_the_server_and_what_is_bound_keeps(
    engine: Engine, endpoint: Endpoint
) -> None:
    remote = pair(engine, endpoint)[1]
    with remote.override(alpha=0.5):
        remote.complete("Hello")
        remote.bind(alpha=2.5).complete("Hello")
        remote.complete("Hello", alpha=1.5)
    sent = [body["vllm_xargs"]["eft_alpha"] for body in endpoint.bodies]
    assert sent == [0.5, 2.5, 1.5]


def test_metadata_and_tokens_are_the_servers(engine: Engine, endpoint: Endpoint) -> None:
    local, remote = pair(engine, endpoint)
    assert remote.metadata.context_window == engine.context_len
    assert remote.tokenize("Hello there") == local.tokenize("Hello there")


def test_a_dump_is_plain_and_finds_the_server_again(endpoint: Endpoint) -> None:
    llm = EFTLLM(base_url=endpoint.url, max_retries=1, alpha=0.5)
    again: Any = load_llm(llm.to_dict())
    assert again.engine is llm.engine
    assert again.to_dict() == llm.to_dict()


def test_headers_of_a_call_are_sent(endpoint: Endpoint) -> None:
    EFTLLM(base_url=endpoint.url, max_tokens=2).chat(ASK, extra_headers={"X-Route": "a"})
    assert endpoint.headers[-1]["x-route"] == "a"


class TestConformance(LLMConformance):
    room = {"max_tokens": 48}  # noqa: RUF012 — as the kit says

    @pytest.fixture(autouse=True)
    def _serve(self, endpoint: Endpoint) -> None:
        self.url = endpoint.url

    def make_llm(self) -> LLM:
        return EFTLLM(base_url=self.url, max_tokens=6)
