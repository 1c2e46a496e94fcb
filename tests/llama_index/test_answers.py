"""Answers, streams, counts, numbers and thoughts; many calls are one batch."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ThinkingBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler

from eft_integrations import Engine, InvalidRequest
from eft_integrations.chat import render
from eft_integrations.llama_index import EFTLLM

ASK = [ChatMessage(role="user", content="Hello")]


def steps(engine: Engine, run: Any) -> int:
    before = engine.stats().num_steps
    run()
    return engine.stats().num_steps - before


def test_an_answer_is_the_engines(llm: EFTLLM, engine: Engine) -> None:
    expected = engine.generate(render(engine, [{"role": "user", "content": "Hello"}]), max_tokens=6)
    response = llm.chat(ASK)
    assert response.message.content == expected.text
    assert response.raw is not None
    assert response.raw["finish_reason"] == expected.finish_reason
    assert response.raw["usage"]["completion_tokens"] == expected.usage.completion_tokens
    assert response.additional_kwargs["prompt_tokens"] == expected.usage.prompt_tokens


def test_the_last_chunk_is_the_whole_answer(llm: EFTLLM) -> None:
    options: dict[str, Any] = {"top_logprobs": 2, "speculation": "off"}
    last = list(llm.stream_chat(ASK, **options))[-1]
    whole = llm.chat(ASK, **options)
    for name in ("message", "raw", "logprobs", "additional_kwargs"):
        assert getattr(last, name) == getattr(whole, name), name


def test_a_formatted_prompt_is_raw_text(llm: EFTLLM, engine: Engine) -> None:
    expected = engine.generate("Hello", max_tokens=6).text
    assert llm.complete("Hello", formatted=True).text == expected
    assert llm.complete("Hello").text == llm.chat(ASK).message.content
    assert list(llm.stream_complete("Hello", formatted=True))[-1].text == expected


async def test_three_calls_at_once_are_one_batch(llm: EFTLLM, engine: Engine) -> None:
    before = engine.stats().num_steps
    await llm.achat(ASK, max_tokens=20)
    alone = engine.stats().num_steps - before
    await asyncio.gather(*(llm.achat(ASK, max_tokens=20) for _ in range(3)))
    assert engine.stats().num_steps - before - alone < 2 * alone


def test_one_model_serves_many_loops(llm: EFTLLM) -> None:
    answers = [asyncio.run(llm.achat(ASK)).message.content for _ in range(2)]
    assert answers == [llm.chat(ASK).message.content] * 2


def test_metadata_is_the_members(llm: EFTLLM, own: EFTLLM, engine: Engine) -> None:
    assert llm.metadata.context_window == own.metadata.context_window == engine.context_len
    assert llm.metadata.num_output == 6
    assert EFTLLM(engine=engine, model="mine").metadata.model_name == "mine"
    assert llm.metadata.is_chat_model
    assert llm.metadata.system_role is MessageRole.SYSTEM


@pytest.mark.parametrize("is_cached", [False, True])
def test_the_context_is_read_without_loading(
    trio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cached: bool
) -> None:
    """Of configs with a part for text, and of ids whose config the hub's cache has."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"text_config": {"max_position_embeddings": 300}}))
    sharing = "eft_integrations.engine.sharing"
    monkeypatch.setattr(f"{sharing}.try_to_load_from_cache", lambda *_, **__: str(config))
    base = f"org/{tmp_path.name}" if is_cached else tmp_path
    own = EFTLLM(base=base, tuned=trio / "tuned", reference=trio / "reference")
    assert own.metadata.context_window == 300
    assert own.engine._engine is None


def test_a_payload_loads_nothing(own: EFTLLM) -> None:
    assert own.to_payload()["max_tokens"] == 6
    assert own.metadata.context_window == 512
    assert own.engine._engine is None


def test_budgets_are_counted_in_the_members_tokens(
    llm: EFTLLM, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "_llm", None)
    monkeypatch.setattr(Settings, "_prompt_helper", None)
    before = Settings.tokenizer
    try:
        llm.configure_settings()
        assert Settings.llm is llm
        assert Settings.tokenizer("Hello") == list(engine.encoder.encode("Hello", special=False))
    finally:
        Settings.tokenizer = before


def test_the_token_counter_is_exact(llm: EFTLLM) -> None:
    counter = TokenCountingHandler()
    model = llm.model_copy(update={"callback_manager": CallbackManager([counter])})
    usages = [
        model.chat(ASK).raw,
        list(model.stream_chat(ASK))[-1].raw,
        model.complete("Hello").raw,
        asyncio.run(model.achat(ASK)).raw,
    ]
    assert counter.total_llm_token_count == sum(raw["usage"]["total_tokens"] for raw in usages)


def test_log_probabilities_come_by_position_with_contributions(llm: EFTLLM, engine: Engine) -> None:
    # Without drafts, whose lengths follow the clock: numbers differ in the last digits by them.
    response = llm.chat(ASK, top_logprobs=2, contributions=True, speculation="off")
    prompt = render(engine, [{"role": "user", "content": "Hello"}])
    expected = engine.generate(
        prompt, max_tokens=6, logprobs=True, contributions=True, speculation="off"
    )
    assert response.logprobs is not None
    assert [one[0].logprob for one in response.logprobs] == list(expected.logprobs or ())
    assert {len(one) for one in response.logprobs} == {2}
    told = response.raw["eft"]["tokens"]
    assert [one["contributions"] for one in told] == list(expected.contributions or ())
    assert llm.chat(ASK).logprobs is None


THOUGHT: dict[str, Any] = {"regex": "<think>so</think>\n\nyes", "max_tokens": 40}


def test_thoughts_are_a_block_behind_the_text(engine: Engine) -> None:
    llm = EFTLLM(engine=engine, reasoning=True)
    chunks = list(llm.stream_chat(ASK, **THOUGHT))
    assert "".join(c.additional_kwargs.get("thinking_delta", "") for c in chunks) == "so"
    for message in (chunks[-1].message, llm.chat(ASK, **THOUGHT).message):
        assert message.content == "yes"
        assert message.blocks[0].block_type == "text"
        assert [b.content for b in message.blocks if isinstance(b, ThinkingBlock)] == ["so"]
    assert EFTLLM(engine=engine, reasoning=False).chat(ASK, **THOUGHT).message.content == (
        "<think>so</think>\n\nyes"
    )


def test_an_answer_that_is_all_thought_is_not_empty(engine: Engine) -> None:
    llm = EFTLLM(engine=engine, reasoning=True, max_tokens=12)
    chunks = list(llm.stream_chat(ASK, regex="<think>[a-z ]{400}"))
    assert chunks[-1].message.content == "".join(c.delta or "" for c in chunks) != ""


@pytest.mark.parametrize("text", ["<think>so</think>", "<think>so</think>\n\n"])
def test_an_answer_whose_thoughts_end_it_is_not_empty(engine: Engine, text: str) -> None:
    """Query engines would tell "Empty Response"."""
    llm = EFTLLM(engine=engine, reasoning=True, max_tokens=40)
    response = llm.chat(ASK, regex=text)
    assert response.raw is not None
    assert response.raw["finish_reason"] == "stop"
    assert response.message.content == "so"
    assert "".join(c.delta or "" for c in llm.stream_chat(ASK, regex=text)) == "so"


def test_several_answers_are_refused(llm: EFTLLM, engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="one answer"):
        llm.chat(ASK, n=2)
    with pytest.raises(InvalidRequest, match="one answer"):
        EFTLLM(engine=engine, n=2)
