"""The faces over ``eft serve-vllm`` with the embedded family say what they say over the engine."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from eft_integrations import ContextOverflow, EFTError, Engine, InvalidRequest, ServerError
from eft_integrations.langchain import EFTLLM, ChatEFT
from eft_integrations.llama_index import EFTLLM as IndexLLM  # noqa: N811 — two of one name
from tests.vllm.test_vllm_server import ALPHAS, ASKED, client

__all__ = ["client"]  # the fixture

MAX_TOKENS = 40


class Person(BaseModel):
    """A person, whose name has an end whatever the weights would write."""

    name: str = Field(max_length=12)
    mood: Literal["good", "bad"]


def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: its name.
    """
    return city


@pytest.fixture
def url(client: openai.OpenAI) -> str:
    return str(client.base_url)


@pytest.fixture
def models(family: Engine, url: str) -> tuple[ChatEFT, ChatEFT]:
    """Here and there."""
    return (
        ChatEFT(engine=family, max_tokens=MAX_TOKENS),
        ChatEFT(base_url=url, max_tokens=MAX_TOKENS),
    )


def told(message: Any) -> tuple[Any, ...]:
    usage = message.usage_metadata
    counts = (usage["input_tokens"], usage["output_tokens"])
    return message.content, message.response_metadata["finish_reason"], counts


def merged(chunks: list[Any]) -> Any:
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


async def collected(stream: Any) -> list[Any]:
    return [each async for each in stream]


def test_a_batch_with_a_coefficient_a_row_is_the_same(models: tuple[ChatEFT, ChatEFT]) -> None:
    rows = [(question, alpha) for question in ASKED for alpha in ALPHAS]
    configs: Any = [{"configurable": {"eft_alpha": alpha}} for _, alpha in rows]
    here, there = (model.batch([asked for asked, _ in rows], configs) for model in models)
    assert [told(message) for message in there] == [told(message) for message in here]


@pytest.mark.parametrize(
    "mixture",
    [
        {"alpha": {"tuned": 0.5}},
        {"beta": 0.5},
        {"weights": {"base": 1.0, "tuned": 0.5, "reference": -0.5}},
        {"alpha": 1.0, "filter_top_p": 0.9},
    ],
    ids=str,
)
def test_every_form_of_mixture_arrives(
    models: tuple[ChatEFT, ChatEFT], mixture: dict[str, Any]
) -> None:
    here, there = (model.invoke(ASKED[0], **mixture) for model in models)
    assert told(there) == told(here)


@pytest.mark.parametrize(
    "options",
    [
        {"presence_penalty": 0.5, "frequency_penalty": 0.5},
        {"logit_bias": dict.fromkeys(range(300, 400), -100.0)},
        {"stop": [" is"]},
        {"top_p": 0.5, "min_p": 0.1, "top_k": 3},
        {"max_tokens": 3},
    ],
    ids=str,
)
def test_what_needs_no_noise_is_the_same(
    models: tuple[ChatEFT, ChatEFT], options: dict[str, Any]
) -> None:
    here, there = (model.invoke(ASKED[3], **options) for model in models)
    assert told(there) == told(here)


def test_constraints_hold(models: tuple[ChatEFT, ChatEFT]) -> None:
    """By another library than here, which may divide the same text into other tokens."""
    there = models[1]
    assert there.invoke(ASKED[3], choice=["Perhaps.", "Rome."]).content in ("Perhaps.", "Rome.")
    assert re.fullmatch(
        "It is [a-z]{5}", str(there.invoke(ASKED[3], regex="It is [a-z]{5}").content)
    )
    schema = Person.model_json_schema()
    assert Person.model_validate_json(str(there.invoke(ASKED[3], json_schema=schema).content))


def test_a_seed_is_a_text(models: tuple[ChatEFT, ChatEFT]) -> None:
    options: dict[str, Any] = {"temperature": 2.0, "seed": 7}
    once, again = (models[1].invoke(ASKED[0], **options).content for _ in range(2))
    assert once == again


@pytest.mark.parametrize("is_async", [False, True])
def test_a_deadline_ends_with_the_partial_text(
    models: tuple[ChatEFT, ChatEFT], is_async: bool
) -> None:
    endless: dict[str, Any] = {"regex": "[a-z ]{9000}", "max_tokens": 4000, "timeout": 0.5}
    there = models[1]
    message = (
        asyncio.run(there.ainvoke("Hi", **endless)) if is_async else there.invoke("Hi", **endless)
    )
    assert message.response_metadata["finish_reason"] == "timeout"
    assert message.usage_metadata is not None
    assert 0 < message.usage_metadata["output_tokens"] < 4000


def test_streams_add_up_to_the_answer(models: tuple[ChatEFT, ChatEFT]) -> None:
    here, there = models
    expected = told(here.invoke(ASKED[1], alpha=0.5))
    assert told(merged(list(there.stream(ASKED[1], alpha=0.5)))) == expected
    chunks = asyncio.run(collected(there.astream(ASKED[1], alpha=0.5)))
    assert told(merged(chunks)) == expected
    assert len(chunks) > 3
    assert chunks[-1].usage_metadata


def test_log_probabilities_are_the_same(models: tuple[ChatEFT, ChatEFT]) -> None:
    here, there = (
        model.invoke(ASKED[0], top_logprobs=2).response_metadata["logprobs"]["content"]
        for model in models
    )
    assert [one["token"] for one in there] == [one["token"] for one in here]
    numbers = [one["logprob"] for one in here]
    assert [one["logprob"] for one in there] == pytest.approx(numbers, abs=1e-3)
    assert {len(one["top_logprobs"]) for one in there} == {2}


def test_a_text_goes_on_the_same(family: Engine, url: str) -> None:
    here = EFTLLM(engine=family, max_tokens=12)
    there = EFTLLM(base_url=url, max_tokens=12)
    prompts: list[Any] = [f"{question} The answer is" for question in ASKED[:4]]
    assert there.batch(prompts, alpha=0.5) == here.batch(prompts, alpha=0.5)
    assert "".join(there.stream(prompts[0])) == here.invoke(prompts[0])


@pytest.mark.parametrize("choice", ["any", "get_weather"])
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_tool_that_must_be_called_is_called(
    models: tuple[ChatEFT, ChatEFT], choice: str, way: str
) -> None:
    bound = models[1].bind_tools([get_weather], tool_choice=choice, parallel_tool_calls=False)
    asked = "What is the weather in Paris?"
    message: Any = bound.invoke(asked) if way == "invoke" else merged(list(bound.stream(asked)))
    (call,) = message.tool_calls
    assert (call["name"], list(call["args"])) == ("get_weather", ["city"])
    assert message.response_metadata["finish_reason"] == "tool_calls"


def test_a_model_that_may_call_calls_as_it_does_here(models: tuple[ChatEFT, ChatEFT]) -> None:
    asked = [HumanMessage("What is the weather in Paris?")]
    here, there = (m.bind_tools([get_weather]).invoke(asked) for m in models)
    assert isinstance(there, AIMessage)
    assert [call["args"] for call in there.tool_calls] == [call["args"] for call in here.tool_calls]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_answer_is_an_object(models: tuple[ChatEFT, ChatEFT], method: str) -> None:
    writer = models[1].with_structured_output(Person, method=method)
    assert isinstance(writer.invoke("Otto is in a good mood."), Person)
    assert list(writer.stream("Otto is in a good mood."))


def test_counts_and_context_are_the_servers(
    models: tuple[ChatEFT, ChatEFT], family: Engine, url: str
) -> None:
    messages: list[Any] = [HumanMessage(ASKED[0])]
    here, there = (model.get_num_tokens_from_messages(messages) for model in models)
    assert there == here
    assert IndexLLM(base_url=url).metadata.context_window == family.context_len


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"alpha": {"x": 1.0}}, InvalidRequest, "unknown tuned member in alpha 'x'"),
        ({"weights": {"bass": 1.0}}, InvalidRequest, "did you mean 'base'"),
        ({"max_tokens": 100_000}, ContextOverflow, "max_model_len=4096"),
        ({"model": "other"}, ServerError, "other"),
    ],
)
def test_what_the_server_refuses_is_our_error(
    models: tuple[ChatEFT, ChatEFT], options: dict[str, Any], error: type[EFTError], says: str
) -> None:
    with pytest.raises(error, match=says):
        models[1].invoke("Hello", **options)
    assert models[1].invoke(ASKED[0], max_tokens=1).content


def test_llama_index_is_answered_the_same(family: Engine, url: str) -> None:
    here = IndexLLM(engine=family, max_tokens=MAX_TOKENS)
    there = IndexLLM(base_url=url, max_tokens=MAX_TOKENS)
    asked = [ChatMessage(role="user", content=ASKED[2])]
    for alpha in ALPHAS:
        with here.override(alpha=alpha), there.override(alpha=alpha):
            expected = here.chat(asked).message.content
            assert there.chat(asked).message.content == expected
            assert list(there.stream_chat(asked))[-1].message.content == expected
            assert asyncio.run(there.achat(asked)).message.content == expected


def test_llama_index_calls_tools_and_writes_objects(url: str) -> None:
    llm = IndexLLM(base_url=url, max_tokens=MAX_TOKENS)
    tool = FunctionTool.from_defaults(get_weather)
    response = llm.chat_with_tools([tool], "What is the weather in Paris?", tool_required=True)
    (call,) = llm.get_tool_calls_from_response(response)
    assert list(call.tool_kwargs) == ["city"]
    prompt = PromptTemplate("{name} is in a good mood.")
    assert isinstance(llm.structured_predict(Person, prompt, name="Otto"), Person)
