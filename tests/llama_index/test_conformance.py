"""The kit on our model, and on LlamaIndex's own mock."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM

from eft_integrations import Engine
from eft_integrations.llama_index import EFTLLM
from eft_integrations.llama_index.conformance import CLAIMS, LLMConformance, report


class TestEFTLLM(LLMConformance):
    room = {"max_tokens": 48}  # noqa: RUF012 — as the kit says

    @pytest.fixture(autouse=True)
    def _open(self, engine: Engine) -> None:
        self.engine = engine

    def make_llm(self) -> LLM:
        return EFTLLM(engine=self.engine, max_tokens=6)


class Mocked(LLMConformance):
    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def make_llm(self) -> LLM:
        llm: LLM = self.kind()
        return llm


def test_the_kit_says_what_is_wrong_of_each() -> None:
    told = report(Mocked(MockLLM))
    assert told["a called tool is run"] == (
        "AssertionError: it claims tools and is no FunctionCallingLLM"
    )
    assert not [line for line in told.values() if line.endswith(": ")]


@pytest.mark.filterwarnings("ignore:.*:pydantic.warnings.PydanticDeprecatedSince20")
@pytest.mark.parametrize("kind", [MockLLM, MockFunctionCallingLLM])
def test_the_kit_tells_what_a_mock_lacks(kind: Any) -> None:
    table = report(Mocked(kind))
    assert table["messages are not changed"] == "ok"
    assert table["a deep copy answers"] == "ok"
    for lack in ("metadata is told", "usage is counted", "objects are written"):
        assert table[lack] not in ("ok", "not claimed")


def test_what_is_not_claimed_is_not_tested() -> None:
    kit = Mocked(MockLLM)
    kit.claims = CLAIMS - {"usage"}
    assert report(kit)["usage is counted"] == "not claimed"


class Blocking(EFTLLM):
    async def astream_chat(self, messages: Any, **keywords: Any) -> Any:
        responses = list(self.stream_chat(messages, **keywords))

        async def told() -> Any:
            for response in responses:
                yield response

        return told()


class Raw(EFTLLM):
    def stream_complete(self, prompt: str, formatted: bool = False, **keywords: Any) -> Any:
        del formatted
        return super().stream_complete(prompt, True, **keywords)


class Uncounted(EFTLLM):
    async def achat(self, messages: Any, **keywords: Any) -> Any:
        response = await super().achat(messages, **keywords)
        return response.model_copy(update={"raw": {}})


class Nameless(EFTLLM):
    def chat(self, messages: Any, **keywords: Any) -> Any:
        response = super().chat(messages, **keywords)
        for block in response.message.blocks:
            if isinstance(block, ToolCallBlock):
                block.tool_call_id = block.tool_name
        return response


class Unkept(EFTLLM):
    def stream_chat(self, messages: Any, **keywords: Any) -> Any:
        for response in super().stream_chat(messages, **keywords):
            response.message.additional_kwargs.pop("tool_calls", None)
            yield response


@pytest.mark.parametrize(
    ("kind", "trap"),
    [
        (Blocking, "the_event_loop_runs_on"),
        (Raw, "complete_asks_as_a_user"),
        (Uncounted, "usage_is_counted"),
        (Nameless, "calls_are_blocks_with_ids"),
        (Unkept, "a_required_tool_is_called"),
    ],
)
def test_the_kit_finds_what_others_fall_into(engine: Engine, kind: Any, trap: str) -> None:
    kit = Mocked(lambda: kind(engine=engine, max_tokens=24))
    kit.room = {"max_tokens": 48}
    with pytest.raises((AssertionError, KeyError)):
        getattr(kit, f"test_{trap}")()
