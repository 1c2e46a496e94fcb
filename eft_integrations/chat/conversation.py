"""What a chat asks for → what the engine runs, and who reads the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eft_integrations import checks
from eft_integrations.chat import repair
from eft_integrations.chat.dialects import Dialect
from eft_integrations.chat.dialects.choice import dialect_named, dialect_of
from eft_integrations.chat.events import ChatEvent
from eft_integrations.chat.grammar import Form, lark
from eft_integrations.chat.reader import THINK, THINK_END, Reader, read
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
    template's signs tell. ``reasoning``: whether ``<think>`` is told apart; None: where the
    template knows it.
    """

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    response_format: Mapping[str, Any] | None = None
    templates: Mapping[str, str] | None = None
    dialect: str | None = None
    reasoning: bool | None = None

    def __post_init__(self) -> None:
        checks.flag("parallel_tool_calls", self.parallel_tool_calls)
        if self.reasoning is not None:
            checks.flag("reasoning", self.reasoning)
        if self.response_format is not None and not isinstance(self.response_format, Mapping):
            raise InvalidRequest(
                f"response_format must be a JSON schema, got {self.response_format!r}"
            )
        refuse_malformed(self.messages)
        tools = [_function(tool) for tool in schemas(self.tools) or []]
        names = [tool["name"] for tool in tools]
        refuse_unknown("tool in tool_choice", [self.tool_choice], [*CHOICES, *names])
        if self.tool_choice == "any" and not names:
            raise InvalidRequest("tool_choice='any' needs a tool to call; give tools")

    @property
    def is_forced(self) -> bool:
        return self.tool_choice not in ("auto", "none")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A chat request for one engine: its prompts by role, its grammar, and how to read it."""

    prompts: Mapping[str, list[int]]
    grammar: str | None
    dialect: Dialect | None
    reads_reasoning: bool
    is_thinking: bool
    marks: Mapping[int, str]

    @property
    def prompt_len(self) -> int:
        """Tokens of the longest prompt among the roles."""
        return max(len(ids) for ids in self.prompts.values())

    def reader(self) -> Reader:
        """A fresh reader of one answer."""
        return Reader(
            self.dialect,
            reads_reasoning=self.reads_reasoning,
            is_thinking=self.is_thinking,
            marks=self.marks,
        )


def prepare(engine: Engine, request: ChatRequest) -> Prepared:
    """Render the messages and put what may be answered into a grammar.

    Raises ``InvalidRequest`` and ``UnknownOption``.
    """
    role = next((r for r in engine.roles.tuned if r in engine.roles.available), "base")
    template = _template(engine, role, request.templates)
    dialect = dialect_named(request.dialect) if request.dialect else dialect_of(template)
    tools = schemas(request.tools) or []
    prompts = _rendered(engine, request, tools, dialect, shows_tools="tools" in template)
    reads = THINK_END in template if request.reasoning is None else request.reasoning
    is_thinking = reads and _ends_in(engine, prompts[role], THINK)
    marks = _silent(engine, dialect)
    form = _form(request, tools, dialect, marks, is_thinking=is_thinking)
    return Prepared(
        prompts=prompts,
        grammar=lark(form),
        dialect=dialect if form.calls else None,
        reads_reasoning=reads,
        is_thinking=is_thinking,
        marks={token_id: mark for mark, token_id in marks.items()},
    )


def events_of(engine: Engine, prepared: Prepared, generation: Generation) -> list[ChatEvent]:
    """A finished generation as the same events that its stream would have told."""
    return read(prepared.reader(), _replayed(engine, prepared, generation))


def _replayed(engine: Engine, prepared: Prepared, generation: Generation) -> list[TokenEvent]:
    """The numbers token by token, then the text, then the end."""
    logprobs = generation.logprobs or ()
    tops = generation.top_logprobs or ({},) * len(logprobs)
    shares = generation.contributions or (None,) * len(logprobs)
    numbers = [
        TokenEvent(
            index=index,
            token_id=generation.token_ids[index],
            text="",
            logprob=logprob,
            top_logprobs=tops[index],
            contributions=shares[index],
        )
        for index, logprob in enumerate(logprobs)
    ]
    last = TokenEvent(
        index=len(generation.token_ids),
        token_id=None,
        text=_marked_text(engine, prepared, generation),
        finish_reason=generation.finish_reason,
        usage=generation.usage,
    )
    return [*numbers, last]


def _marked_text(engine: Engine, prepared: Prepared, generation: Generation) -> str:
    """The text with the control tokens that have a meaning, up to where it was cut."""
    told, left, piece = "", generation.text, list[int]()
    for token_id in generation.token_ids:
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
    messages = repair.named(request.messages)
    if request.response_format is not None and not (tools and request.is_forced):
        schema = request.response_format
        messages = repair.with_schema(messages, schema, has_tools=bool(tools))
    if not shows_tools:
        messages, tools = repair.spoken(messages, tools, dialect), []
    merged = repair.joined(messages)
    refusal: InvalidRequest | None = None
    for turns in (messages, merged, repair.without_system(merged)):
        try:
            return render(engine, turns, tools or None, request.templates)
        except InvalidRequest as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


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


def _template(engine: Engine, role: str, templates: Mapping[str, str] | None) -> str:
    """The source of the template that the tuned member's prompt is written with, if it has one."""
    chosen = (templates or {}).get(role, role)
    if chosen not in engine.roles.available:
        return chosen
    return str(engine.tokenizer(chosen).chat_template or "")


def _ends_in(engine: Engine, ids: Sequence[int], sign: str) -> bool:
    return engine.encoder.decode(ids[-len(sign) :], special=True).rstrip().endswith(sign)


def _silent(engine: Engine, dialect: Dialect) -> dict[str, int]:
    """The pieces of a dialect that are special tokens, which answers leave out, and their ids."""
    control = {token: i for token, i in engine.encoder.control.items() if token in dialect.literals}
    return {t: i for t, i in control.items() if not engine.encoder.decode([i], special=False)}
