"""The remote face says what the local face says: LangChain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel

from eft_integrations import Engine, Plausibility
from eft_integrations.langchain import EFTLLM, ChatEFT
from tests.served import MODEL, Endpoint, serving

ASK = "Hello"
# Blocks of other lengths differ in the last digits of log-probabilities; a server is not asked.
ALONE: dict[str, Any] = {"speculation": "off"}
SCHEMA = {
    "title": "Sign",
    "type": "object",
    "properties": {"x": {"type": "boolean"}},
    "required": ["x"],
    "additionalProperties": False,
}
ASKED: list[dict[str, Any]] = [
    {},
    {"alpha": 0.0},
    {"alpha": -1.5, "max_tokens": 12},
    {"alpha": {"tuned": 2.5}},
    {"beta": 0.5},
    {"weights": {"base": 1.0, "tuned": 0.5}},
    {"alpha": 1.0, "filter_top_p": 0.5},
    {"alpha": 1.0, "mask": Plausibility("base", min_ratio=0.1)},
    {"temperature": 1.5, "seed": 3, "top_p": 0.9, "top_k": 40, "min_p": 0.001},
    {"repetition_penalty": 1.5, "presence_penalty": 0.5, "frequency_penalty": 0.5},
    {"logit_bias": {65: 100.0}},
    {"stop_token_ids": list(range(100))},
    {"logprobs": True},
    {"top_logprobs": 2, "temperature": 1.0, "seed": 1},
    {"regex": "[ab]{9}", "max_tokens": 12},
    {"choice": ["red", "green"], "max_tokens": 12},
    {"json_schema": SCHEMA, "max_tokens": 40},
]


class Colour(BaseModel):
    """A colour."""

    name: Literal["red", "green"]
    is_dark: bool


def paint(colour: Literal["red", "green"]) -> str:
    """Paint the wall.

    Args:
        colour: of the wall.
    """
    return colour


def wash(is_warm: bool) -> str:
    """Wash the wall.

    Args:
        is_warm: whether with warm water.
    """
    return str(is_warm)


TOOLS: list[Any] = [paint, wash]


def pair(engine: Engine, endpoint: Endpoint, kind: Any = ChatEFT, **fields: Any) -> tuple[Any, Any]:
    """The same model here and there."""
    given = {"max_tokens": 6, **fields}
    return kind(engine=engine, **given, **ALONE), kind(base_url=endpoint.url, **given)


def merged(chunks: list[Any]) -> Any:
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


async def _all(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda m, o: m.invoke(ASK, **o),
    "ainvoke": lambda m, o: asyncio.run(m.ainvoke(ASK, **o)),
    "stream": lambda m, o: merged(list(m.stream(ASK, **o))),
    "astream": lambda m, o: merged(asyncio.run(_all(m.astream(ASK, **o)))),
    "batch": lambda m, o: m.batch([ASK, "Bye"], **o)[0],
    "abatch": lambda m, o: asyncio.run(m.abatch([ASK, "Bye"], **o))[0],
}


def about(value: Any) -> Any:
    """The same but for the last digits of floats, in which rows of other batches differ."""
    if isinstance(value, dict):
        return {key: about(part) for key, part in value.items()}
    if isinstance(value, list):
        return [about(part) for part in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


def plain(message: AIMessage) -> dict[str, Any]:
    """All that a message tells, but who told it, and ids made at random."""
    told = dict(message.response_metadata)
    told["eft"] = {k: v for k, v in told["eft"].items() if k not in ALONE}
    return {
        "content": message.content,
        "calls": [{**call, "id": ""} for call in message.tool_calls],
        "broken": [call["name"] for call in message.invalid_tool_calls],
        "usage": message.usage_metadata,
        "metadata": {k: v for k, v in told.items() if k != "model_name"},
        "extra": message.additional_kwargs,
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_remote_chat_model_says_what_the_local_one_says(
    engine: Engine, endpoint: Endpoint, asked: dict[str, Any], way: str
) -> None:
    local, remote = pair(engine, endpoint)
    found = WAYS[way](remote, asked)
    assert plain(found) == about(plain(WAYS[way](local, asked)))
    assert found.response_metadata["model_name"] == MODEL


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_remote_text_model_says_what_the_local_one_says(
    engine: Engine, endpoint: Endpoint, asked: dict[str, Any], way: str
) -> None:
    local, remote = pair(engine, endpoint, EFTLLM)
    assert WAYS[way](remote, asked) == WAYS[way](local, asked)


@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
def test_no_max_tokens_is_the_end_of_the_context(
    engine: Engine, endpoint: Endpoint, kind: Any
) -> None:
    kind(base_url=endpoint.url).invoke(ASK, regex="[ab]{9}")
    assert endpoint.bodies[-1].get("max_tokens") is None
    assert "max_completion_tokens" not in endpoint.bodies[-1]


def test_texts_tell_numbers_choices_and_counts(engine: Engine, endpoint: Endpoint) -> None:
    options: dict[str, Any] = {"n": 2, "temperature": 1.0, "seed": 1, "logprobs": True}
    local, remote = pair(engine, endpoint, EFTLLM)
    here, there = (m.generate([ASK, "Bye"], **options) for m in (local, remote))
    told = [
        [[[one.text, one.generation_info] for one in row] for row in result.generations]
        for result in (here, there)
    ]
    assert told[1] == [[about(one) for one in row] for row in told[0]]
    assert there.llm_output["token_usage"] == here.llm_output["token_usage"]
    assert remote.get_num_tokens(ASK) == local.get_num_tokens(ASK)


def test_no_prompts_have_no_texts(engine: Engine, endpoint: Endpoint) -> None:
    for model in pair(engine, endpoint, EFTLLM):
        assert model.generate([]).generations == []
        assert asyncio.run(model.agenerate([])).generations == []


def test_several_choices_come_from_generate(engine: Engine, endpoint: Endpoint) -> None:
    messages: list[list[BaseMessage]] = [[HumanMessage(ASK)]]
    here, there = (
        model.generate(messages, n=3, temperature=1.0, seed=1) for model in pair(engine, endpoint)
    )
    told = [[[plain(one.message) for one in row] for row in r.generations] for r in (here, there)]
    assert told[0] == told[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "bound",
    [
        {"tool_choice": "any"},
        {"tool_choice": "any", "parallel_tool_calls": False},
        {"tool_choice": "wash"},
        {"tool_choice": "none"},
        {},
        {"tool_choice": "any", "temperature": 2.0, "seed": 5, "parallel_tool_calls": False},
        {"tool_choice": "any", "response_format": Colour},
        {"response_format": Colour},
    ],
    ids=str,
)
def test_calls_are_the_same(
    engine: Engine, endpoint: Endpoint, bound: dict[str, Any], way: str
) -> None:
    local, remote = (
        model.bind_tools(TOOLS, **bound) for model in pair(engine, endpoint, max_tokens=48)
    )
    found = plain(WAYS[way](remote, {"alpha": 0.5}))
    assert found == plain(WAYS[way](local, {"alpha": 0.5}))
    assert bool(found["calls"]) or bound.get("tool_choice") not in ("any", "wash")


def test_half_a_call_is_text_and_invalid(engine: Engine, endpoint: Endpoint) -> None:
    remote = pair(engine, endpoint, max_tokens=48)[1].bind_tools([wash], tool_choice="any")
    cut = remote.bind(stop=["is_warm"])
    for message in (cut.invoke(ASK), merged(list(cut.stream(ASK)))):
        assert not message.tool_calls
        assert [call["name"] for call in message.invalid_tool_calls] == ["wash"]
        assert message.content == '{"name": "wash", "arguments": {"'
        assert message.response_metadata["problems"] == ["the text ends inside the call"]


def test_a_conversation_with_results_of_tools_goes_on(engine: Engine, endpoint: Endpoint) -> None:
    messages: list[BaseMessage] = [
        SystemMessage("Be brief."),
        HumanMessage("Paint it."),
        AIMessage("", tool_calls=[{"id": "1", "name": "paint", "args": {"colour": "red"}}]),
        ToolMessage("done", tool_call_id="1"),
    ]
    local, remote = pair(engine, endpoint)
    assert plain(remote.invoke(messages)) == plain(local.invoke(messages))
    counted = remote.get_num_tokens_from_messages(messages, tools=TOOLS)
    assert counted == local.get_num_tokens_from_messages(messages, tools=TOOLS)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_objects_are_the_same_by_every_method(
    engine: Engine, endpoint: Endpoint, method: str
) -> None:
    options = {"max_tokens": 48, "temperature": 2.0, "seed": 1}
    local, remote = (
        model.with_structured_output(Colour, method=method) for model in pair(engine, endpoint)
    )
    assert remote.invoke(ASK, **options) == local.invoke(ASK, **options)
    assert list(remote.stream(ASK, **options)) == list(local.stream(ASK, **options))


def test_an_object_streams_as_it_grows(engine: Engine, endpoint: Endpoint) -> None:
    local, remote = (m.with_structured_output(SCHEMA) for m in pair(engine, endpoint))
    assert list(remote.stream(ASK, max_tokens=40)) == list(local.stream(ASK, max_tokens=40))


@pytest.mark.parametrize(
    "with_alpha",
    [
        lambda m: m.bind(alpha=2.5),
        lambda m: m.with_alpha(2.5),
        lambda m: m.with_config(configurable={"eft_alpha": 2.5}),
        lambda m: m.bind(alpha=2.5).bind_tools(TOOLS, tool_choice="none"),
    ],
)
def test_alpha_arrives_by_every_path(engine: Engine, endpoint: Endpoint, with_alpha: Any) -> None:
    local, remote = map(with_alpha, pair(engine, endpoint))
    assert plain(remote.invoke(ASK)) == plain(local.invoke(ASK))
    assert endpoint.bodies[-1]["vllm_xargs"] == {"eft_alpha": 2.5}


def test_thoughts_are_told_apart_by_the_server(engine: Engine, endpoint: Endpoint) -> None:
    endpoint.reads_thoughts = True
    message = pair(engine, endpoint)[1].invoke(ASK, regex="<think>so</think>\n\nyes", max_tokens=40)
    assert message.additional_kwargs == {"reasoning_content": "so"}
    assert message.content == "yes"


pytest_suite = [
    pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"),
    pytest.mark.filterwarnings("ignore:The method .* is in beta"),
]


class TestUnit(ChatModelUnitTests):
    """The standard suite; the key comes from the environment."""

    pytestmark = pytest_suite

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEFT

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": "http://127.0.0.1:9/v1"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"EFT_API_KEY": "secret"}, self.chat_model_params, {"api_key": "secret"}


class TestIntegration(ChatModelIntegrationTests):
    """The standard suite over a server of the embedded family."""

    pytestmark = pytest_suite

    @pytest.fixture(autouse=True)
    def _serve(self, family: Engine) -> Any:
        with serving(family) as endpoint:
            self.url = endpoint.url
            yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEFT

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": self.url, "temperature": 0, "max_tokens": 100}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return MODEL
