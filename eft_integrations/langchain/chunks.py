"""Chat events → LangChain's chunks: the one translator of streams and whole answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk

from eft_integrations.chat.events import (
    CallDelta,
    CallStart,
    ChatEvent,
    Finish,
    Named,
    Problem,
    ReasoningDelta,
    TextDelta,
    TokenDetail,
)
from eft_integrations.request import Usage

PROVIDER = "eft"


class Chunker:
    """Turns the events of one answer into chunks; each key of metadata is on one of them only."""

    def __init__(self, *, model_name: str, report: Mapping[str, Any]) -> None:
        self._model_name = model_name
        self._report = report
        self._is_first = True

    def chunk(self, events: Sequence[ChatEvent]) -> ChatGenerationChunk | None:
        """One chunk of what came together; None where there is nothing to tell."""
        if not events:
            return None
        only = events[0]
        if isinstance(only, TextDelta) and len(events) == 1 and not self._is_first:
            # most tokens; as below, in little more than half the time
            return ChatGenerationChunk(message=AIMessageChunk(content=only.text))
        tokens = [event for event in events if isinstance(event, TokenDetail)]
        told = [event for event in events if not isinstance(event, TokenDetail)]
        finish = next((event for event in told if isinstance(event, Finish)), None)
        thought = "".join(e.text for e in told if isinstance(e, ReasoningDelta))
        message = AIMessageChunk(
            content="".join(e.text for e in told if isinstance(e, TextDelta)),
            additional_kwargs={"reasoning_content": thought} if thought else {},
            tool_call_chunks=_call_chunks(told),
            response_metadata=self._metadata(finish, told, tokens),
            usage_metadata=None if finish is None else usage_metadata(finish.usage),
            chunk_position=None if finish is None else "last",
        )
        info = None if finish is None else {"finish_reason": finish.reason}
        return ChatGenerationChunk(message=message, generation_info=info)

    def _metadata(
        self, finish: Finish | None, told: Sequence[ChatEvent], tokens: Sequence[TokenDetail]
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        if self._is_first:
            metadata |= {"model_provider": PROVIDER, "model_name": self._model_name}
            self._is_first = False
        if tokens:
            metadata["logprobs"] = {"content": [_detail(token) for token in tokens]}
        problems = [event.reason for event in told if isinstance(event, Problem)]
        if problems:
            metadata["problems"] = problems
        if finish is not None:
            metadata |= {"finish_reason": finish.reason, "eft": dict(self._report)}
        return metadata

    def generation(self, events: Sequence[ChatEvent]) -> ChatGeneration:
        """A whole answer, as its stream would add up."""
        chunk = self.chunk(events)
        assert chunk is not None, "an answer ends with a Finish"
        message = message_chunk_to_message(chunk.message)
        return ChatGeneration(message=message, generation_info=chunk.generation_info)


def usage_metadata(usage: Usage) -> UsageMetadata:
    """Token counts as LangChain names them."""
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details=InputTokenDetails(cache_read=usage.cached_tokens),
    )


def _call_chunks(events: Sequence[ChatEvent]) -> list[ToolCallChunk]:
    """One chunk a call, with all that these events add to it."""
    found: dict[int, ToolCallChunk] = {}
    for event in events:
        if isinstance(event, CallStart):
            found[event.index] = tool_call_chunk(
                name=event.name, args="", id=event.call_id, index=event.index
            )
        elif isinstance(event, CallDelta):
            _add(found, event.index, event.arguments)
        elif isinstance(event, Problem) and event.index is not None:
            # LangChain completes half a call's JSON, and would run it
            _add(found, event.index, event.mismatch)
    return list(found.values())


def _add(found: dict[int, ToolCallChunk], index: int, arguments: str) -> None:
    nameless = tool_call_chunk(name=None, args="", id=None, index=index)
    call = found.setdefault(index, nameless)
    call["args"] = (call["args"] or "") + arguments


def _detail(token: TokenDetail) -> dict[str, Any]:
    """A token in the shape of OpenAI's logprobs, with the contributions of the members."""
    likeliest = [_named(other) for other in token.top_logprobs]
    detail = {**_named(token.token), "top_logprobs": likeliest}
    return detail if token.contributions is None else {**detail, "eft": dict(token.contributions)}


def _named(token: Named) -> dict[str, Any]:
    return {"token": token.text, "bytes": list(token.text.encode()), "logprob": token.logprob}
