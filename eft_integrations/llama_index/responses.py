"""Chat events → LlamaIndex's responses: the one translator of streams and whole answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.llms.utils import parse_partial_json

from eft_integrations.chat.events import (
    CallDelta,
    CallEnd,
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


@dataclass
class _Call:
    """A call as far as it is written; ``kwargs`` are the arguments that can be read so far."""

    call_id: str
    name: str
    text: str = ""
    kwargs: dict[str, Any] = field(default_factory=dict)

    def read(self) -> None:
        try:
            found = parse_partial_json(self.text)
        except ValueError:
            return  # in the middle of a name or a number: what was read before stands
        self.kwargs = found if isinstance(found, dict) else {}


class Responder:
    """Turns the events of one answer into responses, each with everything said so far."""

    def __init__(self, *, model_name: str, report: Mapping[str, Any]) -> None:
        self._model_name = model_name
        self._report = report
        self._text = ""
        self._thought = ""
        self._calls: dict[int, _Call] = {}
        self._problems: list[str] = []
        self._logprobs: list[list[LogProb]] = []
        self._shares: list[dict[str, Any]] = []

    def response(self, events: Sequence[ChatEvent]) -> ChatResponse | None:
        """One response for what came together; None where there is nothing to tell."""
        text, thought, has_news = self._text, self._thought, False
        for event in events:
            has_news |= self._take(event)
        if not has_news:
            return None
        finish = next((event for event in events if isinstance(event, Finish)), None)
        self._say_something(finish)
        new_thought = self._thought[len(thought) :]
        extra = {"thinking_delta": new_thought} if new_thought else {}
        return ChatResponse(
            message=self._message(),
            delta=self._text[len(text) :],
            raw=self._raw(finish),
            logprobs=list(self._logprobs) or None,
            additional_kwargs={**extra, **({} if finish is None else finish.usage.counts)},
        )

    def whole(self, events: Sequence[ChatEvent]) -> ChatResponse:
        """A finished answer, as the last response of its stream, without deltas."""
        response = self.response(events)
        assert response is not None, "an answer ends with a Finish"
        response.delta = None
        response.additional_kwargs.pop("thinking_delta", None)
        return response

    def _take(self, event: ChatEvent) -> bool:
        """Note an event; tell whether anybody wants to hear of it."""
        if isinstance(event, TextDelta):
            self._text += event.text
        elif isinstance(event, ReasoningDelta):
            self._thought += event.text
        elif isinstance(event, TokenDetail):
            self._note(event)
        else:
            self._take_call(event)
        return True

    def _take_call(self, event: ChatEvent) -> None:
        if isinstance(event, CallStart):
            self._calls[event.index] = _Call(call_id=event.call_id, name=event.name)
        elif isinstance(event, (CallDelta, CallEnd)):
            call = self._calls[event.index]
            call.text += event.arguments if isinstance(event, CallDelta) else ""
            call.read()
        elif isinstance(event, Problem):
            # what was read of it would be run as if it were whole; its text is in the content
            self._calls.pop(-1 if event.index is None else event.index, None)
            self._problems.append(event.reason)

    def _note(self, detail: TokenDetail) -> None:
        chosen, shares = detail.token, detail.contributions
        others = (token for token in detail.top_logprobs if token != chosen)
        self._logprobs.append([_logprob(token) for token in (chosen, *others)])
        if shares is not None:
            numbers = {"logprob": chosen.logprob, "contributions": dict(shares)}
            self._shares.append({"token": chosen.text, **numbers})

    def _say_something(self, finish: Finish | None) -> None:
        """An answer of thoughts alone is what it thought: agents and query engines read text."""
        if finish is not None and not self._text and not self._calls:
            self._text = self._thought

    def _message(self) -> ChatMessage:
        """Text first: some of LlamaIndex's readers look at the first block only."""
        calls = list(self._calls.values())
        blocks: list[Any] = [TextBlock(text=self._text)] if self._text or not calls else []
        if self._thought:
            blocks.append(ThinkingBlock(content=self._thought))
        blocks.extend(
            ToolCallBlock(tool_call_id=c.call_id, tool_name=c.name, tool_kwargs=c.kwargs)
            for c in calls
        )
        extra = {"tool_calls": [_plain(call) for call in calls]} if calls else {}
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=extra)

    def _raw(self, finish: Finish | None) -> dict[str, Any]:
        raw: dict[str, Any] = {"model": self._model_name}
        if finish is None:
            return raw
        raw |= {"finish_reason": finish.reason, "usage": usage_of(finish.usage)}
        eft = {key: _json_plain(value) for key, value in self._report.items()}
        raw["eft"] = {**eft, "tokens": self._shares} if self._shares else eft
        return {**raw, "problems": self._problems} if self._problems else raw


def _logprob(token: Named) -> LogProb:
    # A token may be a part of a character, whose bytes its text does not tell.
    told = [] if "\N{REPLACEMENT CHARACTER}" in token.text else list(token.text.encode())
    return LogProb(token=token.text, logprob=token.logprob, bytes=told)


def completion(response: ChatResponse) -> CompletionResponse:
    """The same answer as a text, with its calls besides."""
    calls = response.message.additional_kwargs
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        logprobs=response.logprobs,
        additional_kwargs={**response.additional_kwargs, **calls},
    )


def usage_of(usage: Usage) -> dict[str, Any]:
    """Token counts as LlamaIndex's token counter reads them."""
    return {**usage.counts, "prompt_tokens_details": {"cached_tokens": usage.cached_tokens}}


def _plain(call: _Call) -> dict[str, Any]:
    """As OpenAI's API writes it; LlamaIndex's streaming programs look for this."""
    function = {"name": call.name, "arguments": json.dumps(call.kwargs, ensure_ascii=False)}
    return {"id": call.call_id, "type": "function", "function": function}


def _json_plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
