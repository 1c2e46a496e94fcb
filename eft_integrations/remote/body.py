"""A call of a face → the body of an OpenAI request, as vLLM reads it; nothing is left out.

Whatever has a default of ours is sent, so that a server's own generation config has no say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eft_integrations.chat.conversation import ChatRequest, told_turns
from eft_integrations.chat.options import refuse_clash
from eft_integrations.chat.schema import closed, for_arguments
from eft_integrations.chat.template import schemas
from eft_integrations.errors import InvalidRequest
from eft_integrations.options import Options, parse
from eft_integrations.request import Constraint, Sampling
from eft_integrations.wire import to_wire

_UNSERVED = {
    "contributions": "no server tells the members' shares",
    "speculation": "a server drafts as it was started",
    "close_within_budget": "a server's grammar does not close within max_tokens",
    "templates": "a server renders by the chat template that it was started with",
    "dialect": "a server reads calls by its own --tool-call-parser",
    "reasoning": "a server tells thoughts apart by its own --reasoning-parser",
}
_FORMS = ("templates", "dialect", "reasoning")
_KINDS = {"json_schema": "json"}  # names of constraints that vLLM calls otherwise
_MAX_BIAS = 100.0  # vLLM cuts off what is larger


@dataclass(frozen=True, kw_only=True)
class Body:
    """What is sent: the messages or the prompt, and everything else. ``timeout`` in seconds."""

    is_chat: bool
    said: Mapping[str, Any]
    rest: Mapping[str, Any]
    num_choices: int = 1
    timeout: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def refuse_unserved(options: Mapping[str, Any]) -> None:
    """Raises ``InvalidRequest`` for an option that only an engine in this process can obey."""
    for name, reason in _UNSERVED.items():
        value = options.get(name)
        if value is not None and (value is not False or name == "reasoning"):
            raise InvalidRequest(f"{name}= has no effect behind base_url=: {reason}; leave it out")


def chat_body(request: ChatRequest, options: Mapping[str, Any]) -> Body:
    """Of /v1/chat/completions. Raises ``InvalidRequest``, ``UnknownOption``."""
    refuse_unserved({**options, **{name: getattr(request, name) for name in _FORMS}})
    if request.tools or request.response_format is not None:
        refuse_clash(options)
    checked = parse(options)
    sampling = checked.sampling
    numbers = {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    limit = {} if sampling.max_tokens is None else {"max_completion_tokens": sampling.max_tokens}
    form = {**_called(request), **_answered(request)}
    told = numbers if sampling.wants_logprobs else {}
    return Body(
        is_chat=True,
        said={"messages": turns_of(request)},
        rest={**_common(checked), **limit, **told, **form},
        num_choices=sampling.n,
        timeout=sampling.timeout,
    )


def text_body(prompt: str, checked: Options) -> Body:
    """Of /v1/completions, whose own default of max_tokens is 16."""
    sampling = checked.sampling
    numbers = {"logprobs": sampling.top_logprobs} if sampling.wants_logprobs else {}
    return Body(
        is_chat=False,
        said={"prompt": prompt},
        rest={**_common(checked), "max_tokens": sampling.max_tokens, **numbers},
        num_choices=sampling.n,
        timeout=sampling.timeout,
    )


def tools_of(request: ChatRequest) -> list[dict[str, Any]]:
    """Strict: without it vLLM holds no arguments to their schema."""
    return [_strict(tool) for tool in schemas(request.tools) or []]


def turns_of(request: ChatRequest) -> list[dict[str, Any]]:
    """The messages as they are sent."""
    return [_plain(turn) for turn in told_turns(request)]


def _common(checked: Options) -> dict[str, Any]:
    sampling = checked.sampling
    xargs = {} if checked.mixture is None else to_wire(checked.mixture)
    return {
        **_choosing(sampling),
        **({"stop": list(sampling.stop_strings)} if sampling.stop_strings else {}),
        **({"stop_token_ids": list(sampling.stop_token_ids)} if sampling.stop_token_ids else {}),
        **({"vllm_xargs": xargs} if xargs else {}),
        **_constrained(checked.constraint),
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


def _choosing(sampling: Sampling) -> dict[str, Any]:
    bias = sampling.logit_bias or {}
    for token_id, value in bias.items():
        if abs(value) > _MAX_BIAS:
            raise InvalidRequest(
                f"logit_bias[{token_id}] must be at most {_MAX_BIAS:g} either way behind "
                f"base_url=, got {value:g}"
            )
    return {
        "n": sampling.n,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k or 0,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "min_p": sampling.min_p or 0.0,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        **({"logit_bias": {str(i): value for i, value in bias.items()}} if bias else {}),
        **({} if sampling.seed is None else {"seed": sampling.seed}),
    }


def _constrained(constraint: Constraint | None) -> dict[str, Any]:
    if constraint is None:
        return {}
    kind = _KINDS.get(constraint.kind, constraint.kind)
    value = list(constraint.value) if isinstance(constraint.value, tuple) else constraint.value
    return {"structured_outputs": {kind: value}}


def _called(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    return {
        "tools": tools_of(request),
        "tool_choice": _choice(request.tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _choice(choice: str) -> Any:
    if choice in ("auto", "none"):
        return choice
    return "required" if choice == "any" else {"type": "function", "function": {"name": choice}}


def _answered(request: ChatRequest) -> dict[str, Any]:
    if request.answer_schema is None:
        return {}
    schema = {"name": "answer", "schema": closed(request.answer_schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _strict(tool: Any) -> dict[str, Any]:
    function = tool.get("function", tool)
    for_arguments(function.get("parameters"))  # refuses what no arguments can be
    return {"type": "function", "function": {**function, "strict": True}}


def _plain(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of calls as text, as OpenAI's protocol has them."""
    calls = [_call(call) for call in turn.get("tool_calls") or []]
    return {**turn, "tool_calls": calls} if calls else dict(turn)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    given = function["arguments"]
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return {**call, "type": "function", "function": {**function, "arguments": text}}
