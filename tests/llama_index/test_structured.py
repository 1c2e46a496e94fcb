"""Objects: every way in which LlamaIndex asks for one, held to the schema and to max_tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import pytest
from llama_index.core import Document, Settings, SummaryIndex
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, RootModel, field_validator

from eft_integrations import ContextOverflow, EFTError, Engine, UnusableAnswer
from eft_integrations.chat.options import OPTIONS
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.prompts import meant
from tests.conftest import ROLES, llama, open_trio, save_trio

T = TypeVar("T")
PROMPT = PromptTemplate("Write a thing about {topic}.")


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


WAYS: dict[str, Any] = {
    "predict": lambda m, c: m.structured_predict(c, PROMPT, topic="x"),
    "apredict": lambda m, c: asyncio.run(m.astructured_predict(c, PROMPT, topic="x")),
    "stream": lambda m, c: list(m.stream_structured_predict(c, PROMPT, topic="x"))[-1],
    "astream": lambda m, c: asyncio.run(_all(m.astream_structured_predict(c, PROMPT, topic="x")))[
        -1
    ],
    "structured chat": lambda m, c: m.as_structured_llm(c).complete("x").raw,
    "structured achat": lambda m, c: asyncio.run(m.as_structured_llm(c).acomplete("x")).raw,
    "text program": lambda m, c: LLMTextCompletionProgram.from_defaults(
        output_cls=c, prompt_template_str="A thing.", llm=m
    )(),
    "text program, streaming": lambda m, c: list(
        LLMTextCompletionProgram.from_defaults(
            output_cls=c, prompt_template_str="A thing.", llm=m
        ).stream_call()
    )[-1],
    "function program": lambda m, c: FunctionCallingProgram.from_defaults(
        output_cls=c, prompt_template_str="A thing.", llm=m
    )(),
    "function program, streaming": lambda m, c: list(
        FunctionCallingProgram.from_defaults(
            output_cls=c, prompt_template_str="A thing.", llm=m
        ).stream_call()
    )[-1],
}


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


def test_partial_objects_stream(writer: EFTLLM) -> None:
    parts = list(writer.stream_structured_predict(Thing, PROMPT, topic="x"))
    told = [sum(v is not None for v in part.model_dump().values()) for part in parts]
    assert told == sorted(told)
    assert told[0] < told[-1]


@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_a_structured_model_streams(writer: EFTLLM) -> None:
    structured = writer.as_structured_llm(Thing)
    messages = PROMPT.format_messages(topic="x")
    assert isinstance(list(structured.stream_chat(messages))[-1].raw, Thing)
    assert isinstance(asyncio.run(_all(structured.astream_chat(messages)))[-1].raw, Thing)


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


@pytest.mark.parametrize("way", ["predict", "apredict"])
def test_the_system_prompt_is_said(writer: EFTLLM, way: str, monkeypatch: Any) -> None:
    said: list[Any] = []
    model = writer.model_copy(update={"system_prompt": "Be kind."})

    def noted(turns: Any) -> Any:
        said.append(turns)
        return meant(turns)

    monkeypatch.setattr("eft_integrations.llama_index.asking.meant", noted)
    WAYS[way](model, Part)
    assert said[0][0] == {"role": "system", "content": "Be kind."}


def test_the_schema_of_a_parsers_prompt_becomes_the_form() -> None:
    text = PydanticOutputParser(output_cls=Thing).format("Write a thing.")
    found = meant([{"role": "user", "content": text}])
    assert found.schema == json.loads(json.dumps(Thing.model_json_schema()))
    assert found.messages == [{"role": "user", "content": "Write a thing."}]
    plain = [{"role": "user", "content": "Here's a JSON schema to follow: none"}]
    assert meant(plain).messages == plain
