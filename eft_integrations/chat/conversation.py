"""What a chat asks for → what the engine runs, and who reads the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eft_integrations import checks
from eft_integrations.chat import repair
from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.dialects.choice import dialect_named, dialect_of
from eft_integrations.chat.events import ChatEvent
from eft_integrations.chat.grammar import Form, lark
from eft_integrations.chat.reader import THINK, THINK_END, Reader, Takes, detail_of, read
from eft_integrations.chat.response import UNREADABLE, TemplateReader, dialect_read_by
from eft_integrations.chat.template import Message, Tool, refuse_malformed, render, schemas
from eft_integrations.engine import Engine
from eft_integrations.errors import InvalidRequest, refuse_unknown
from eft_integrations.request import Generation, TokenEvent

CHOICES = ("auto", "none", "any")


@checks.refusing_unknown
@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A conversation and the form of its answer.

    ``messages`` and ``tools`` as ``render`` takes them. ``tool_choice``: "auto" (text or calls),
    "none", "any" (some call), or the name of a tool. ``response_format``: a JSON schema; with tools
    the answer is calls or that JSON. ``dialect``: how calls are written; by default as the
    tokenizer's own response template reads them, or the chat template's signs tell.
    ``reasoning``: whether ``<think>`` is told apart; None: where the template knows it.
    ``react``: without tools, those that the messages tell an agent in text, by name with the schema
    of their inputs: the answer is a step of ReAct. A server is not told of it.
    """

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    response_format: Mapping[str, Any] | None = None
    templates: Mapping[str, str] | None = None
    dialect: str | None = None
    reasoning: bool | None = None
    react: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        checks.flag("parallel_tool_calls", self.parallel_tool_calls)
        if self.reasoning is not None:
            checks.flag("reasoning", self.reasoning)
        if self.response_format is not None:
            _refuse_no_schema(self.response_format)
        if self.react is not None:
            self._refuse_other_forms(self.react)
        if self.templates is not None and not isinstance(self.templates, Mapping):
            raise InvalidRequest(f"templates must map roles to templates, got {self.templates!r}")
        refuse_malformed(self.messages)
        tools = [_function(tool) for tool in schemas(self.tools) or []]
        names = [tool["name"] for tool in tools]
        refuse_unknown("tool in tool_choice", [self.tool_choice], [*CHOICES, *names])
        if self.tool_choice == "any" and not names:
            raise InvalidRequest("tool_choice='any' needs a tool to call; give tools")

    def _refuse_other_forms(self, react: object) -> None:
        if not isinstance(react, Mapping) or not react:
            raise InvalidRequest(f"react must map names of tools to schemas, got {react!r}")
        if self.tools or self.response_format is not None:
            raise InvalidRequest(
                "react= and tools or response_format exclude each other; give one of them"
            )

    @property
    def is_forced(self) -> bool:
        return self.tool_choice not in ("auto", "none")

    @property
    def answer_schema(self) -> Mapping[str, Any] | None:
        """What an answer that is no call must be; None where it is always a call, or any text."""
        return None if self.tools and self.is_forced else self.response_format


def _refuse_no_schema(given: object) -> None:
    try:
        told = json.loads(json.dumps(given))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"response_format must be a JSON schema, got {given!r}: {error}"
        ) from error
    if not isinstance(told, dict):
        raise InvalidRequest(f"response_format must be a JSON schema, got {given!r}")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A chat request for one engine: its prompts by role, its grammar, and fresh readers."""

    prompts: Mapping[str, list[int]]
    grammar: str | None
    marks: Mapping[int, str]
    reader: Callable[[], Takes]

    @property
    def prompt_len(self) -> int:
        """Tokens of the longest prompt among the roles."""
        return max(len(ids) for ids in self.prompts.values())


def prepare(engine: Engine, request: ChatRequest) -> Prepared:
    """Render the messages and put what may be answered into a grammar.

    Raises ``InvalidRequest`` and ``UnknownOption``.
    """
    role = next((r for r in engine.roles.tuned if r in engine.roles.available), "base")
    chosen = (request.templates or {}).get(role, role)
    template = _template(engine, chosen)
    tools = schemas(request.tools) or []
    own = _reading_tokenizer(engine, chosen, request)
    dialect = _dialect(request, template, own)
    told_in = dialect or dialect_of(template)
    prompts = _rendered(engine, request, tools, told_in, shows_tools="tools" in template)
    reads = THINK_END in template if request.reasoning is None else request.reasoning
    is_thinking = reads and _ends_in(engine, prompts[role], THINK)
    silent = engine.encoder.silent
    marks = {mark: i for mark, i in silent.items() if mark in told_in.literals}
    form = _form(request, tools if dialect else [], told_in, marks, is_thinking=is_thinking)
    if own is not None:
        return Prepared(
            prompts=prompts,
            grammar=lark(form),
            marks=_by_id(silent),
            reader=_own_reader(engine, own, request, prompts[role]),
        )
    reader = partial(
        Reader,
        dialect if form.calls else None,
        reads_reasoning=reads,
        is_thinking=is_thinking,
        marks=_by_id(marks),
    )
    return Prepared(prompts=prompts, grammar=lark(form), marks=_by_id(marks), reader=reader)


def formatted(engine: Engine, prompt: str) -> Prepared:
    """A text that is a prompt already: no template before it, and plain text behind it."""
    ids = list(engine.encoder.encode(prompt, special=True))
    return replace(plain(), prompts=dict.fromkeys(engine.roles.available, ids))


def plain() -> Prepared:
    """What reads plain text; without prompts."""
    reader = partial(Reader, None, reads_reasoning=False, is_thinking=False, marks={})
    return Prepared(prompts={}, grammar=None, marks={}, reader=reader)


def _by_id(marks: Mapping[str, int]) -> dict[int, str]:
    return {token_id: mark for mark, token_id in marks.items()}


def _reading_tokenizer(engine: Engine, chosen: str, request: ChatRequest) -> Any:
    """The tokenizer that has a template for answers; None where a dialect is named, too."""
    if request.dialect is not None or chosen not in engine.roles.available:
        return None
    tokenizer = engine.tokenizer(chosen)
    # transformers sets it on tokenizers from the version on that knows such templates
    return tokenizer if getattr(tokenizer, "response_template", None) else None


def _dialect(request: ChatRequest, template: str, own: Any) -> Dialect | None:
    """How calls are held to their form; None where answers are read in a form no grammar knows."""
    if request.dialect is not None:
        return dialect_named(request.dialect)
    dialect = dialect_of(template) if own is None else dialect_read_by(own)
    is_held = request.is_forced or (request.response_format is not None and bool(request.tools))
    if dialect is None and is_held:
        raise InvalidRequest(
            "the tokenizer's response_template reads calls in no dialect that a grammar can force; "
            "take tool_choice='auto' without response_format, or name a dialect"
        )
    return dialect


def _own_reader(
    engine: Engine, own: Any, request: ChatRequest, prompt: Sequence[int]
) -> Callable[[], TemplateReader]:
    """Makes readers by the tokenizer's template; tried once, so that a broken one is refused."""
    prefix = engine.encoder.decode(prompt, special=True)
    marks = _by_id(engine.encoder.silent)

    def new_reader() -> TemplateReader:
        return TemplateReader(
            own.get_response_parser(prefix=prefix, tools=schemas(request.tools)),
            marks,
            may_call=bool(request.tools) and request.tool_choice != "none",
            tells_thoughts=request.reasoning is not False,
        )

    try:
        new_reader()
    except UNREADABLE as error:
        raise InvalidRequest(
            f"the tokenizer's response_template does not load: {error}; name a dialect instead"
        ) from error
    return new_reader


def events_of(engine: Engine, prepared: Prepared, generation: Generation) -> list[ChatEvent]:
    """A finished generation as the same events that its stream would have told."""
    last = TokenEvent(
        index=len(generation.token_ids),
        token_id=None,
        text=_marked_text(engine, prepared, generation),
        finish_reason=generation.finish_reason,
        usage=generation.usage,
    )
    numbers = [told for event in _numbered(generation) for told in detail_of(engine, event)]
    return [*numbers, *read(prepared.reader(), [last])]


def _numbered(generation: Generation) -> Iterator[TokenEvent]:
    """The numbers token by token, without text."""
    logprobs = generation.logprobs or ()
    tops = generation.top_logprobs or ({},) * len(logprobs)
    shares = generation.contributions or (None,) * len(logprobs)
    for index, logprob in enumerate(logprobs):
        yield TokenEvent(
            index=index,
            token_id=generation.token_ids[index],
            text="",
            logprob=logprob,
            top_logprobs=tops[index],
            contributions=shares[index],
        )


def _marked_text(engine: Engine, prepared: Prepared, generation: Generation) -> str:
    """The text with the control tokens that have a meaning, up to where it was cut."""
    told, left, piece = "", generation.text, list[int]()
    # a token that stops the answer belongs to nothing in it
    ids = generation.token_ids[: -1 if generation.finish_reason == "stop" else None]
    for token_id in ids:
        piece.append(token_id)
        if token_id in prepared.marks:
            said = len(engine.encoder.decode(piece, special=False))
            if said > len(left):
                break  # a stop string ended the text before this token
            told, left, piece = told + left[:said] + prepared.marks[token_id], left[said:], []
    return told + left


def _rendered(
    engine: Engine, request: ChatRequest, tools: list[Any], dialect: Dialect, *, shows_tools: bool
) -> dict[str, list[int]]:
    """The prompts; where the template refuses the turns, those of repaired ones."""
    messages = told_turns(request)
    if not shows_tools:
        messages, tools = repair.spoken(messages, tools, dialect), []
    merged = repair.joined(messages)
    ways = (merged, repair.with_system_first(merged), repair.without_system(merged))
    refusal: InvalidRequest | None = None
    for turns in (messages, *ways):
        try:
            return render(engine, turns, tools or None, request.templates)
        except InvalidRequest as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def told_turns(request: ChatRequest) -> list[Message]:
    """The messages with the names of tools, and with the schema of the answer."""
    messages = repair.named(request.messages)
    if request.answer_schema is None:
        return messages
    return repair.with_schema(messages, request.answer_schema, has_tools=bool(request.tools))


def _form(
    request: ChatRequest,
    tools: list[Any],
    dialect: Dialect,
    marks: Mapping[str, int],
    *,
    is_thinking: bool,
) -> Form:
    functions = [_function(tool) for tool in tools]
    chosen = [f for f in functions if request.tool_choice in ("auto", "any", f["name"])]
    return Form(
        dialect=dialect,
        calls={f["name"]: f.get("parameters") for f in chosen},
        must_call=request.is_forced,
        may_repeat=request.parallel_tool_calls and request.tool_choice in ("auto", "any"),
        forbids_calls=bool(tools) and request.tool_choice == "none",
        response=request.response_format,
        react=request.react or {},
        is_thinking=is_thinking,
        marks=marks,
    )


def _function(tool: Any) -> Mapping[str, Any]:
    """The function inside a tool's schema."""
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidRequest(
            f"a tool is {{'type': 'function', 'function': {{'name': …}}}}, got {tool!r}"
        )
    return function


def _template(engine: Engine, chosen: str) -> str:
    """The source of the template of a role, or that source itself; empty where there is none."""
    if chosen not in engine.roles.available:
        return chosen
    return str(engine.tokenizer(chosen).chat_template or "")


def _ends_in(engine: Engine, ids: Sequence[int], sign: str) -> bool:
    return engine.encoder.decode(ids[-len(sign) :], special=True).rstrip().endswith(sign)
