"""Objects: every way in which LlamaIndex asks for one, held to the schema and to max_tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import pytest
from llama_index.core import Document, Settings, SummaryIndex
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.output_parsers import PydanticOutputParser, SelectionOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import (
    BaseModel,
    Field,
    RootModel,
    SecretStr,
    field_validator,
    model_validator,
)

from eft_integrations import (
    ContextOverflow,
    EFTError,
    Engine,
    InvalidRequest,
    UnknownOption,
    UnusableAnswer,
)
from eft_integrations.chat.asking import request_of
from eft_integrations.chat.options import OPTIONS
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.prompts import meant
from tests.conftest import ROLES, llama, open_trio, save_trio
from tests.llama_index.engines import settled

T = TypeVar("T")
PROMPT = PromptTemplate("Write a thing about {topic}.")
ASK = PROMPT.format_messages(topic="x")
MODES = ("default", "function", "llm")


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Part(BaseModel):
    name: Literal["door", "wall"]


class Thing(BaseModel):
    """A thing."""

    colour: Colour
    is_new: bool
    note: Literal["a", "b"] | None
    parts: list[Part]


class Row(BaseModel):
    """Of so many parts that it takes a hundred tokens to write them."""

    parts: list[Part] = Field(min_length=12)


class Holder(BaseModel, Generic[T]):
    """A holder."""

    item: T


class Tree(BaseModel):
    """A tree."""

    is_leaf: bool
    children: list[Tree] = []


class Numbers(RootModel[list[Literal[1, 2]]]):
    """Numbers."""


class Never(BaseModel):
    """What no answer can be."""

    is_good: bool

    @field_validator("is_good")
    @classmethod
    def _refuse(cls, value: bool) -> bool:
        raise ValueError("never good")


@pytest.fixture
def writer(engine: Engine) -> EFTLLM:
    return EFTLLM(engine=engine, max_tokens=64, temperature=2.0, seed=3)


async def _all(stream: Any) -> list[Any]:
    return [part async for part in await stream]


def _text_program(llm: EFTLLM, kind: Any) -> Any:
    prompt = "A thing."
    return LLMTextCompletionProgram.from_defaults(
        output_cls=kind, prompt_template_str=prompt, llm=llm
    )


def _function_program(llm: EFTLLM, kind: Any) -> Any:
    prompt = "A thing."
    return FunctionCallingProgram.from_defaults(
        output_cls=kind, prompt_template_str=prompt, llm=llm
    )


def _raw(responses: list[Any]) -> list[Any]:
    return [response.raw for response in responses]


# A model, a class → objects as they are written; the last one is whole.
STREAMS: dict[str, Any] = {
    "stream": lambda m, c: list(m.stream_structured_predict(c, PROMPT, topic="x")),
    "astream": lambda m, c: asyncio.run(_all(m.astream_structured_predict(c, PROMPT, topic="x"))),
    "structured stream": lambda m, c: _raw(list(m.as_structured_llm(c).stream_chat(ASK))),
    "structured astream": lambda m, c: _raw(
        asyncio.run(_all(m.as_structured_llm(c).astream_chat(ASK)))
    ),
    "structured text stream": lambda m, c: _raw(list(m.as_structured_llm(c).stream_complete("x"))),
    "structured text astream": lambda m, c: _raw(
        asyncio.run(_all(m.as_structured_llm(c).astream_complete("x")))
    ),
    "text program, streaming": lambda m, c: list(_text_program(m, c).stream_call()),
    "text program, async stream": lambda m, c: asyncio.run(
        _all(_text_program(m, c).astream_call())
    ),
    "function program, streaming": lambda m, c: list(_function_program(m, c).stream_call()),
    "function program, async stream": lambda m, c: asyncio.run(
        _all(_function_program(m, c).astream_call())
    ),
}
WAYS: dict[str, Any] = {
    "predict": lambda m, c: m.structured_predict(c, PROMPT, topic="x"),
    "apredict": lambda m, c: asyncio.run(m.astructured_predict(c, PROMPT, topic="x")),
    "structured chat": lambda m, c: m.as_structured_llm(c).complete("x").raw,
    "structured achat": lambda m, c: asyncio.run(m.as_structured_llm(c).acomplete("x")).raw,
    "text program": lambda m, c: _text_program(m, c)(),
    "text program, async": lambda m, c: asyncio.run(_text_program(m, c).acall()),
    "function program": lambda m, c: _function_program(m, c)(),
    "function program, async": lambda m, c: asyncio.run(_function_program(m, c).acall()),
    **{name: lambda m, c, way=way: way(m, c)[-1] for name, way in STREAMS.items()},
}
# Core writes the partial objects of a structured model with a method that pydantic has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:The `json` method is deprecated")


@pytest.mark.parametrize("kind", [Thing, Holder[bool], Holder[Part]])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_an_object_within_max_tokens(writer: EFTLLM, way: str, kind: Any) -> None:
    assert isinstance(WAYS[way](writer, kind), kind)


@pytest.mark.parametrize("way", WAYS)
def test_an_object_may_hold_its_own_kind(writer: EFTLLM, way: str) -> None:
    assert isinstance(WAYS[way](writer, Tree), Tree)


@pytest.mark.parametrize("mode", [PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM])
def test_other_modes_are_cores_own_programs(
    writer: EFTLLM, engine: Engine, mode: PydanticProgramMode
) -> None:
    model = writer.model_copy(update={"pydantic_program_mode": mode})
    for way in ("predict", "apredict", "stream", "astream"):
        assert isinstance(WAYS[way](model, Thing), Thing)


@pytest.mark.parametrize("way", ["predict", "apredict", "stream", "astream"])
def test_an_object_may_be_a_list(writer: EFTLLM, way: str) -> None:
    assert set(WAYS[way](writer, Numbers).root) <= {1, 2}


@pytest.mark.parametrize("way", STREAMS)
def test_partial_objects_stream(writer: EFTLLM, way: str) -> None:
    told = [
        sum(value is not None for value in part.model_dump().values())
        for part in STREAMS[way](writer, Thing)
    ]
    assert told == sorted(told)
    assert told[0] < told[-1]


def test_a_structured_models_texts_are_its_objects(writer: EFTLLM) -> None:
    last = list(writer.as_structured_llm(Thing).stream_complete("x"))[-1]
    assert Thing.model_validate_json(last.text) == last.raw


async def test_a_structured_models_deltas_join_to_its_text(writer: EFTLLM) -> None:
    model = writer.as_structured_llm(Thing)
    streams: list[Any] = [
        [*model.stream_chat(ASK)],
        [*model.stream_complete("x")],
        [part async for part in await model.astream_chat(ASK)],
        [part async for part in await model.astream_complete("x")],
    ]
    for parts in streams:
        assert all(part.delta == "" for part in parts[:-1])
        assert Thing.model_validate_json(parts[-1].delta or "") == parts[-1].raw


def test_a_chat_engine_shows_and_remembers_an_object(writer: EFTLLM) -> None:
    chat = SimpleChatEngine.from_defaults(llm=writer.as_structured_llm(Thing))
    shown = "".join(chat.stream_chat("x").response_gen)
    assert Thing.model_validate_json(shown)
    assert chat.chat_history[-1].content == shown


class Odd(BaseModel):
    """Kinds of Python whose schemas have formats and rules that no grammar holds."""

    path: Path
    names: set[Literal["a", "b"]] = Field(min_length=1)
    secret: SecretStr


@pytest.mark.parametrize("way", WAYS)
def test_annotations_that_a_grammar_cannot_hold_stop_nobody(writer: EFTLLM, way: str) -> None:
    assert isinstance(WAYS[way](writer.bind(max_tokens=80), Odd), Odd)


LAZY: dict[str, Any] = {
    "stream": lambda m, c: m.stream_structured_predict(c, PROMPT, topic="x"),
    "structured stream": lambda m, c: m.as_structured_llm(c).stream_chat(ASK),
    "structured text stream": lambda m, c: m.as_structured_llm(c).stream_complete("x"),
}
ALAZY: dict[str, Any] = {
    "astream": lambda m, c: m.astream_structured_predict(c, PROMPT, topic="x"),
    "structured astream": lambda m, c: m.as_structured_llm(c).astream_chat(ASK),
    "structured text astream": lambda m, c: m.as_structured_llm(c).astream_complete("x"),
}


@pytest.mark.parametrize("way", LAZY)
def test_an_override_holds_where_a_stream_is_read_outside(
    writer: EFTLLM, heard: list[Any], way: str
) -> None:
    with writer.override(alpha=0.3):
        stream = LAZY[way](writer, Thing)
    assert list(stream)
    assert set(heard) == {0.3}


@pytest.mark.parametrize("way", ALAZY)
async def test_an_override_holds_where_an_async_stream_is_read_outside(
    writer: EFTLLM, heard: list[Any], way: str
) -> None:
    with writer.override(alpha=0.3):
        stream = await ALAZY[way](writer, Thing)
    assert [part async for part in stream]
    assert set(heard) == {0.3}


class Strict(BaseModel):
    """A thing whose validator counts on all of it."""

    parts: list[Part] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def first(cls, data: Any) -> Any:
        return {"parts": [data["parts"][0]]}


@pytest.mark.parametrize("way", LAZY)
def test_a_validator_may_count_on_the_whole_object(writer: EFTLLM, way: str) -> None:
    """What it raises for partial ones is kept from the reader; the last one is judged."""
    assert list(LAZY[way](writer.with_options(max_tokens=120), Strict))


@pytest.mark.parametrize("way", LAZY)
def test_a_stream_of_objects_that_is_cancelled_at_once_says_so(writer: EFTLLM, way: str) -> None:
    with writer.cancel_scope() as scope:
        scope.cancel()
        with pytest.raises(UnusableAnswer, match="ended by 'cancelled'"):
            list(LAZY[way](writer, Thing))


def test_a_prompt_keeps_its_schema_where_the_caller_gave_another_form(
    writer: EFTLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is then told nowhere else."""
    text = PydanticOutputParser(output_cls=Part).format("Write a thing.")
    asked: list[Any] = []

    def noted(given: Any, messages: Any, *rest: Any) -> Any:
        asked.extend(messages)
        return request_of(given, messages, *rest)

    monkeypatch.setattr("eft_integrations.llama_index.asking.request_of", noted)
    writer.complete(text, choice=["door", "wall"])
    assert "JSON schema" in asked[-1]["content"]


@pytest.mark.parametrize("way", LAZY)
def test_leaving_a_stream_of_objects_ends_the_computation(writer: EFTLLM, way: str) -> None:
    engine, long = writer.open_engine, writer.with_options(max_tokens=200)
    before = engine.stats().num_tokens
    stream = LAZY[way](long, Row)
    next(stream)
    stream.close()
    asyncio.run(settled(engine))
    assert engine.stats().num_tokens - before < 60


@pytest.mark.parametrize("way", ALAZY)
async def test_leaving_an_async_stream_of_objects_ends_the_computation(
    writer: EFTLLM, way: str
) -> None:
    engine, long = writer.open_engine, writer.with_options(max_tokens=200)
    before = engine.stats().num_tokens
    stream = await ALAZY[way](long, Row)
    await anext(stream)
    await stream.aclose()
    await settled(engine)
    assert engine.stats().num_tokens - before < 60


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Iterator[Engine]:
    """A context that the prompts of query engines fit into, and not much more."""
    folder = tmp_path_factory.mktemp("roomy")
    save_trio(folder, tokenizer, {r: llama(tokenizer, max_position_embeddings=1024) for r in ROLES})
    with open_trio(folder) as engine:
        yield engine


@pytest.fixture
def settings() -> Iterator[None]:
    before = Settings.tokenizer
    yield
    Settings.tokenizer, Settings._llm, Settings._prompt_helper = before, None, None


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("mode", ["tree_summarize", "accumulate", "compact_accumulate"])
def test_prompts_that_are_filled_up_leave_room_for_a_schema(
    roomy: Engine, mode: Any, is_async: bool
) -> None:
    llm = EFTLLM(engine=roomy, max_tokens=64, temperature=2.0, seed=3)
    text = " ".join(f"Sentence {number} of all." for number in range(110))
    index = SummaryIndex.from_documents([Document(text=text)])

    def ask() -> Any:
        options: Any = {"response_mode": mode, "output_cls": Thing, "use_async": is_async}
        response: Any = index.as_query_engine(llm=llm, **options).query("Which?")
        return response.response

    llm.configure_settings()
    with pytest.raises(ContextOverflow, match=r"configure_settings\(Thing\) leaves room"):
        ask()
    llm.configure_settings(Thing)
    assert isinstance(ask(), Thing if mode == "tree_summarize" else str)


@pytest.mark.usefixtures("settings")
def test_an_answer_without_room_is_told_before_the_first_prompt(roomy: Engine) -> None:
    before = Settings._llm
    with pytest.raises(ContextOverflow, match=r"max_tokens must be below \d+.*got 4096; lower it"):
        EFTLLM(engine=roomy, max_tokens=4096).configure_settings()
    assert Settings._llm is before


@pytest.mark.parametrize("way", ["predict", "apredict", "stream", "astream"])
def test_a_schema_without_room_is_an_error_with_its_remedy(writer: EFTLLM, way: str) -> None:
    with pytest.raises(ContextOverflow, match=r"lower max_tokens.*configure_settings\(Thing\)"):
        WAYS[way](writer.with_options(max_tokens=500), Thing)


def test_keywords_of_a_call_arrive(writer: EFTLLM) -> None:
    keywords = {"alpha": 0.5, "max_tokens": 3}
    with pytest.raises(UnusableAnswer, match="max_tokens"):
        writer.structured_predict(Thing, PROMPT, llm_kwargs=keywords, topic="x")
    assert set(keywords) <= OPTIONS


@pytest.mark.parametrize("way", ["predict", "apredict", "stream", "astream"])
def test_what_does_not_validate_is_an_error_that_nobody_swallows(writer: EFTLLM, way: str) -> None:
    with pytest.raises(UnusableAnswer, match="never good") as caught:
        WAYS[way](writer, Never)
    assert isinstance(caught.value, EFTError)


SAYING = [*(way for way in WAYS if "structured" not in way), "structured chat", "structured achat"]


@pytest.mark.parametrize("way", SAYING)
def test_the_system_prompt_is_said(writer: EFTLLM, way: str, monkeypatch: Any) -> None:
    said: list[Any] = []
    model = writer.model_copy(update={"system_prompt": "Be kind."})

    def noted(turns: Any) -> Any:
        said.append(turns)
        return meant(turns)

    monkeypatch.setattr("eft_integrations.llama_index.asking.meant", noted)
    WAYS[way](model, Part)
    (turns,) = said
    assert turns[0] == {"role": "system", "content": "Be kind."}
    assert [turn["role"] for turn in turns].count("system") == 1


def test_the_schema_of_a_parsers_prompt_becomes_the_form() -> None:
    text = PydanticOutputParser(output_cls=Thing).format("Write a thing.")
    found = meant([{"role": "user", "content": text}])
    assert found.schema == json.loads(json.dumps(Thing.model_json_schema()))
    assert found.bare == [{"role": "user", "content": "Write a thing."}]
    plain = [{"role": "user", "content": "Here's a JSON schema to follow: none"}]
    assert meant(plain).messages == plain


FORM = PydanticOutputParser(output_cls=Part).format("Which part?")
SELECTION = SelectionOutputParser().format("A numbered list (1 to 3) of things.")


@pytest.mark.parametrize("form", [FORM, SELECTION])
@pytest.mark.parametrize("before", ["user", "assistant"])
def test_a_form_that_was_said_before_holds_nothing(form: str, before: str) -> None:
    turns = [{"role": before, "content": form}, {"role": "user", "content": "And then?"}]
    assert meant(turns).schema is None
    assert meant(turns[:1]).schema is not None


@pytest.mark.parametrize("form", [FORM, SELECTION])
def test_a_text_about_a_form_holds_nothing(form: str) -> None:
    asked = [{"role": "user", "content": f"It writes: {form}\nThe hall is old.\nWhere?"}]
    assert meant(asked).schema is None
    asked = [{"role": "user", "content": f"{form}\nAnswer: "}]
    assert meant(asked).schema is not None


@pytest.mark.parametrize("mode", [m for m in PydanticProgramMode if m.value not in MODES])
def test_a_mode_of_other_programs_is_refused(engine: Engine, mode: PydanticProgramMode) -> None:
    with pytest.raises(InvalidRequest, match=f"default, function or llm, got '{mode.value}'"):
        EFTLLM(engine=engine, pydantic_program_mode=mode)


def test_options_of_a_structured_model_are_bound(writer: EFTLLM) -> None:
    model = writer.as_structured_llm(Part, alpha=0.25, system_prompt="Be brief.")
    assert isinstance(model.llm, EFTLLM)
    assert model.llm.options_in_force()["alpha"] == 0.25
    assert model.system_prompt == "Be brief."
    with pytest.raises(UnknownOption, match="did you mean 'temperature'"):
        writer.as_structured_llm(Part, temprature=1)


@pytest.mark.parametrize("name", ["response_format", "tools", "tool_choice"])
def test_an_object_has_no_other_form(writer: EFTLLM, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}= has no place where the answer is a Part"):
        writer.structured_predict(Part, PROMPT, llm_kwargs={name: [Thing]}, topic="x")
