"""What instrumentation hears: every call begins and ends once, in order, with its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.prompts import PromptTemplate
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, Field

from eft_integrations import InvalidRequest
from eft_integrations.llama_index import EFTLLM

ASK = [ChatMessage(role="user", content="Hello")]
PROMPT = PromptTemplate("Choose for {who}.")


class Choice(BaseModel):
    """A choice."""

    side: Literal["left", "right"]


class Diary(BaseEventHandler):
    events: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Diary"

    def handle(self, event: Any, **kwargs: Any) -> None:
        if type(event).__name__.startswith(("LLM", "Exception")):
            self.events.append(event)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    root, diary = get_dispatcher(), Diary()
    root.add_event_handler(diary)
    yield diary.events
    root.event_handlers.remove(diary)


def kinds(events: list[Any]) -> list[str]:
    """The names of events in order; neighbours of one name count once."""
    names = [type(event).__name__.removesuffix("Event") for event in events]
    return [name for n, name in enumerate(names) if n == 0 or names[n - 1] != name]


async def _all(stream: Any) -> list[Any]:
    return [part async for part in await stream]


CHAT = ["LLMChatStart", "LLMChatEnd"]
STREAMED = ["LLMChatStart", "LLMChatInProgress", "LLMChatEnd"]
TEXT = ["LLMCompletionStart", "LLMCompletionEnd"]
TEXT_STREAMED = ["LLMCompletionStart", "LLMCompletionInProgress", "LLMCompletionEnd"]
PREDICTED = ["LLMStructuredPredictStart", *CHAT, "LLMStructuredPredictEnd"]
CALLS: dict[str, tuple[Any, list[str]]] = {
    "chat": (lambda m: m.chat(ASK), CHAT),
    "achat": (lambda m: asyncio.run(m.achat(ASK)), CHAT),
    "stream_chat": (lambda m: list(m.stream_chat(ASK)), STREAMED),
    "astream_chat": (lambda m: asyncio.run(_all(m.astream_chat(ASK))), STREAMED),
    "complete": (lambda m: m.complete("Hello"), TEXT),
    "acomplete": (lambda m: asyncio.run(m.acomplete("Hello")), TEXT),
    "stream_complete": (lambda m: list(m.stream_complete("Hello")), TEXT_STREAMED),
    "astream_complete": (lambda m: asyncio.run(_all(m.astream_complete("Hello"))), TEXT_STREAMED),
    "structured_predict": (lambda m: m.structured_predict(Choice, PROMPT, who="x"), PREDICTED),
    "astructured_predict": (
        lambda m: asyncio.run(m.astructured_predict(Choice, PROMPT, who="x")),
        PREDICTED,
    ),
}


@pytest.fixture
def asked(llm: EFTLLM) -> EFTLLM:
    return llm.with_options(max_tokens=24)


@pytest.mark.parametrize("call", CALLS)
def test_events_come_in_order(asked: EFTLLM, events: list[Any], call: str) -> None:
    run, expected = CALLS[call]
    answer = run(asked)
    assert kinds(events) == expected
    last = events[-1]
    told = last.output if "structured" in call else last.response
    assert told == (answer[-1] if isinstance(answer, list) else answer)


def test_a_stream_of_objects_tells_each_of_them(asked: EFTLLM, events: list[Any]) -> None:
    parts = list(asked.stream_structured_predict(Choice, PROMPT, who="x"))
    told = [e.output for e in events if "StructuredPredictInProgress" in type(e).__name__]
    assert told == parts
    assert kinds(events)[0] == "LLMStructuredPredictStart"
    assert kinds(events)[-1] == "LLMStructuredPredictEnd"
    assert events[-1].output == parts[-1]


def test_what_is_refused_ends_its_event_with_the_error(asked: EFTLLM) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    model = asked.model_copy(update={"callback_manager": CallbackManager([debug])})
    with pytest.raises(InvalidRequest):
        model.chat(ASK, regex="(")
    ((start, end),) = debug.get_event_pairs(CBEventType.LLM)
    assert start.payload is not None
    assert start.payload["messages"] == ASK
    assert end.payload is not None
    assert isinstance(end.payload["exception"], InvalidRequest)


@pytest.mark.parametrize("kind", ["chat", "complete"])
def test_a_stream_that_is_left_tells_so(asked: EFTLLM, events: list[Any], kind: str) -> None:
    stream: Any = asked.stream_chat(ASK) if kind == "chat" else asked.stream_complete("Hello")
    next(stream)
    stream.close()
    assert isinstance(events[-1].exception, GeneratorExit)
