"""Function calling: held by the grammar, in every form of call, with results told by id."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field, RootModel

from eft_integrations import Engine, InvalidRequest, UnknownOption, UnusableAnswer
from eft_integrations.chat.events import Named
from eft_integrations.chat.schema import FORMATS, closed
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.messages import chat_messages
from eft_integrations.llama_index.responses import _logprob
from eft_integrations.llama_index.tools import tool_schemas

T = TypeVar("T")
ASK = "Hello"


class Box(BaseModel, Generic[T]):
    """A box."""

    item: T


def paint(is_red: bool) -> str:
    """Paint the wall."""
    return f"painted {is_red}"


def wash(is_warm: bool) -> str:
    """Wash the wall."""
    return f"washed {is_warm}"


TOOLS = [FunctionTool.from_defaults(paint), FunctionTool.from_defaults(wash)]


async def _last(stream: Any) -> Any:
    return [response async for response in await stream][-1]


FORMS: dict[str, Any] = {
    "chat": lambda m, **k: m.chat_with_tools(TOOLS, ASK, **k),
    "achat": lambda m, **k: asyncio.run(m.achat_with_tools(TOOLS, ASK, **k)),
    "stream": lambda m, **k: list(m.stream_chat_with_tools(TOOLS, ASK, **k))[-1],
    "astream": lambda m, **k: asyncio.run(_last(m.astream_chat_with_tools(TOOLS, ASK, **k))),
}


@pytest.fixture
def caller(engine: Engine) -> EFTLLM:
    return EFTLLM(engine=engine, max_tokens=64, temperature=2.0, seed=1)


@pytest.mark.parametrize("form", FORMS)
def test_a_required_call_is_told_in_both_ways(caller: EFTLLM, form: str) -> None:
    response = FORMS[form](caller, tool_required=True)
    (selection,) = caller.get_tool_calls_from_response(response)
    (raw,) = response.message.additional_kwargs["tool_calls"]
    (block,) = [b for b in response.message.blocks if isinstance(b, ToolCallBlock)]
    assert selection.tool_id == raw["id"] == block.tool_call_id
    assert selection.tool_name == raw["function"]["name"] == block.tool_name
    assert selection.tool_kwargs == json.loads(raw["function"]["arguments"]) == block.tool_kwargs
    assert response.raw["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("choice", ["wash", {"type": "function", "function": {"name": "wash"}}])
def test_a_named_tool_is_called(caller: EFTLLM, form: str, choice: Any) -> None:
    response = FORMS[form](caller, tool_choice=choice)
    names = {call.tool_name for call in caller.get_tool_calls_from_response(response)}
    assert names == {"wash"}


@pytest.mark.parametrize("choice", [None, "auto", False, {"type": "auto"}])
def test_a_required_tool_is_called_where_the_choice_is_open(caller: EFTLLM, choice: Any) -> None:
    prepared = caller._prepare_chat_with_tools(TOOLS, ASK, tool_choice=choice, tool_required=True)
    assert prepared["tool_choice"] == "any"
    with pytest.raises(InvalidRequest, match="needs a tool"):
        caller.chat_with_tools([], ASK, tool_choice=choice, tool_required=True)


@pytest.mark.parametrize("seed", range(4))
def test_none_calls_nothing(caller: EFTLLM, seed: int) -> None:
    response = caller.chat_with_tools(TOOLS, ASK, tool_choice="none", seed=seed)
    assert caller.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(UnusableAnswer, match="tool_required"):
        caller.get_tool_calls_from_response(response)


def test_parallel_calls_have_ids_of_their_own(caller: EFTLLM) -> None:
    found = [
        caller.get_tool_calls_from_response(
            caller.chat_with_tools(
                TOOLS, ASK, tool_required=True, allow_parallel_tool_calls=True, seed=seed
            )
        )
        for seed in range(8)
    ]
    assert max(map(len, found)) > 1
    for calls in found:
        assert len({call.tool_id for call in calls}) == len(calls)


def test_one_call_unless_several_are_allowed(caller: EFTLLM) -> None:
    for seed in range(8):
        response = caller.chat_with_tools(TOOLS, ASK, tool_required=True, seed=seed)
        assert len(caller.get_tool_calls_from_response(response)) == 1


def test_arguments_grow_in_a_stream(caller: EFTLLM) -> None:
    stream = caller.stream_chat_with_tools(TOOLS, ASK, tool_required=True)
    told = [caller.get_tool_calls_from_response(r, error_on_no_tool_call=False) for r in stream]
    sizes = [len(calls[0].tool_kwargs) for calls in told if calls]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 1


def test_a_call_cannot_be_required_and_forbidden(caller: EFTLLM) -> None:
    with pytest.raises(InvalidRequest, match="error_on_no_tool_call=False"):
        caller.chat_with_tools(TOOLS, ASK, tool_required=True, tool_choice="none")
    with pytest.raises(InvalidRequest, match="error_on_no_tool_call=False"):
        caller.predict_and_call(TOOLS, ASK, tool_choice="none")


def test_a_completion_tells_its_calls(caller: EFTLLM) -> None:
    response = caller.complete(ASK, tools=TOOLS, tool_choice="any")
    calls = response.additional_kwargs["tool_calls"]
    assert calls
    assert {call["function"]["name"] for call in calls} <= {tool.metadata.name for tool in TOOLS}
    assert response.additional_kwargs["total_tokens"] > 0


def test_predict_and_call_runs_the_tool(caller: EFTLLM) -> None:
    answers = [
        caller.predict_and_call(TOOLS, ASK),
        asyncio.run(caller.apredict_and_call(TOOLS, ASK)),
    ]
    for answer in answers:
        assert str(answer).startswith(("painted", "washed"))
        assert not answer.sources[0].is_error


@pytest.mark.parametrize("is_async", [False, True])
def test_predict_and_call_runs_several_tools_where_that_is_allowed(
    caller: EFTLLM, is_async: bool
) -> None:
    found = []
    for seed in range(8):
        options: dict[str, Any] = {"allow_parallel_tool_calls": True, "seed": seed}
        answer = (
            asyncio.run(caller.apredict_and_call(TOOLS, ASK, **options))
            if is_async
            else caller.predict_and_call(TOOLS, ASK, **options)
        )
        assert {source.tool_name for source in answer.sources} <= {"paint", "wash"}
        assert all(str(s.raw_output).startswith(("painted", "washed")) for s in answer.sources)
        found.append(len(answer.sources))
    assert max(found) > 1


@pytest.mark.parametrize("is_async", [False, True])
def test_predict_and_call_may_call_nothing_however_that_is_said(
    caller: EFTLLM, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    required: list[bool] = []
    prepare = EFTLLM._prepare_chat_with_tools

    def noted(*args: Any, **kwargs: Any) -> Any:
        required.append(kwargs["tool_required"])
        return prepare(*args, **kwargs)

    monkeypatch.setattr(EFTLLM, "_prepare_chat_with_tools", noted)
    for args, named in (
        ((ASK, None, False, False, False), {}),
        ((ASK,), {"error_on_no_tool_call": False}),
    ):
        options: dict[str, Any] = {"tool_choice": "none", **named}
        answer = (
            asyncio.run(caller.apredict_and_call(TOOLS, *args, **options))
            if is_async
            else caller.predict_and_call(TOOLS, *args, **options)
        )
        assert answer.sources == []
    assert required == [False, False]


def test_a_call_that_was_cut_off_says_by_what(caller: EFTLLM) -> None:
    with pytest.raises(UnusableAnswer, match=r"ended by 'length': .*; raise max_tokens"):
        caller.predict_and_call(TOOLS, ASK, max_tokens=4)
    with caller.cancel_scope() as scope:
        scope.cancel()
        with pytest.raises(UnusableAnswer, match=r"ended by 'cancelled': .*scope was cancelled"):
            caller.predict_and_call(TOOLS, ASK)
    with pytest.raises(UnusableAnswer, match=r"; pass tool_required=True$"):
        caller.get_tool_calls_from_response(caller.chat_with_tools(TOOLS, ASK, tool_choice="none"))


class Load(BaseModel):
    path: Path
    tags: set[str]
    size: float = Field(json_schema_extra={"format": "of its own"})


def load(**arguments: Any) -> str:
    """Read a file."""
    return str(arguments)


def test_annotations_that_no_grammar_holds_stop_no_agent(caller: EFTLLM) -> None:
    tools = [FunctionTool.from_defaults(load, fn_schema=Load), *TOOLS]
    response = caller.chat_with_tools(tools, ASK, tool_choice="load")
    (call,) = caller.get_tool_calls_from_response(response)
    assert {*call.tool_kwargs} == {"path", "tags", "size"}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_formats_that_a_grammar_knows_are_held(engine: Engine, name: str) -> None:
    engine.generate("Hello", json_schema={"type": "string", "format": name}, max_tokens=1)
    kept = {"type": "object", "properties": {"a": {"type": "string", "format": name}}}
    assert closed(kept)["properties"] == kept["properties"]


def test_a_generic_class_keeps_its_name(caller: EFTLLM) -> None:
    program: Any = FunctionCallingProgram.from_defaults(
        output_cls=Box[bool], prompt_template_str="A box.", llm=caller
    )
    assert isinstance(program(), Box)
    assert isinstance(asyncio.run(program.acall()), Box)
    assert isinstance(list(program.stream_call())[-1], Box)


def test_the_history_is_left_as_it_is(caller: EFTLLM) -> None:
    history = [ChatMessage(content="before")]
    caller.chat_with_tools(TOOLS, ASK, chat_history=history)
    assert [message.content for message in history] == ["before"]


def test_results_are_told_with_the_name_of_their_tool(caller: EFTLLM, engine: Engine) -> None:
    template = "{% for m in messages %}{{ m.name or m.role }};{% endfor %}{{ '{' }}"
    calls = [ToolCallBlock(tool_call_id=n, tool_name=n + "_tool", tool_kwargs={}) for n in "ab"]
    history = [
        ChatMessage(content="x"),
        ChatMessage(role="assistant", blocks=calls),
        *(
            ChatMessage(role="tool", content="1", additional_kwargs={"tool_call_id": n})
            for n in "ba"
        ),
    ]
    shows = dict.fromkeys(engine.roles.available, template + "{# tools #}")
    response = caller.chat(history, templates=shows, max_tokens=1)
    text = "user;assistant;b_tool;a_tool;{"
    expected = len(engine.encoder.encode(text, special=False))
    assert response.raw is not None
    assert response.raw["usage"]["prompt_tokens"] == expected


def test_calls_of_other_models_are_read() -> None:
    raw = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    broken = {"id": "2", "function": {"name": "f", "arguments": "{"}}
    message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [raw, broken]})
    (told,) = chat_messages([message])
    assert [c["function"]["arguments"] for c in told["tool_calls"]] == [{"a": 1}, "{"]
    with pytest.raises(InvalidRequest, match="a call holds"):
        chat_messages([ChatMessage(role="assistant", additional_kwargs={"tool_calls": [3]})])


@pytest.mark.parametrize(
    ("role", "expected"),
    [("developer", "system"), ("chatbot", "assistant"), ("model", "assistant"), ("user", "user")],
)
def test_roles_of_all_providers_are_known(role: str, expected: str) -> None:
    (told,) = chat_messages([ChatMessage(role=MessageRole(role), content="x")])
    assert told["role"] == expected


def test_what_is_no_text_is_refused() -> None:
    image = {"block_type": "image", "url": "http://x/y.png"}
    with pytest.raises(InvalidRequest, match="ImageBlock"):
        chat_messages([ChatMessage(blocks=[image])])


def test_an_unknown_tool_is_refused_with_a_suggestion(caller: EFTLLM) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'wash'"):
        caller.chat_with_tools(TOOLS, ASK, tool_choice="wahs")


def test_arguments_that_are_no_object_are_refused_by_name() -> None:
    def add(numbers: list[int]) -> int:
        """Add numbers."""
        return sum(numbers)

    tool = FunctionTool.from_defaults(add, fn_schema=RootModel[list[int]])
    with pytest.raises(InvalidRequest, match="arguments of tool 'add' must be an object"):
        tool_schemas([tool])


def test_a_part_of_a_character_has_no_bytes_of_its_own() -> None:
    """Joined, they would spell a character that nobody wrote."""
    told = [_logprob(Named(text=text, logprob=-1.0)) for text in ("\ufffd", "é")]
    assert [one.bytes for one in told] == [[], [195, 169]]
