"""The text model: raw prompts, batches, streams, and a cache that tells options apart."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler

from eft_integrations import Engine, UnknownOption
from eft_integrations.langchain import EFTLLM, ChatEFT

ASK = "Hello"
PATHS: dict[str, Any] = {
    "call": lambda m, a: m.bind(alpha=a),
    "with_alpha": lambda m, a: m.with_alpha(a),
    "config": lambda m, a: m.with_config(configurable={"eft_alpha": a}),
    "pickle": lambda m, a: pickle.loads(pickle.dumps(m.with_alpha(a))),
    "deepcopy": lambda m, a: copy.deepcopy(m.with_alpha(a)),
}


async def _collected(stream: Any) -> str:
    return "".join([text async for text in stream])


FORMS: dict[str, Any] = {
    "invoke": lambda r: r.invoke(ASK),
    "ainvoke": lambda r: asyncio.run(r.ainvoke(ASK)),
    "stream": lambda r: "".join(r.stream(ASK)),
    "astream": lambda r: asyncio.run(_collected(r.astream(ASK))),
    "batch": lambda r: r.batch([ASK, ASK])[1],
    "abatch": lambda r: asyncio.run(r.abatch([ASK, ASK]))[1],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", PATHS)
def test_alpha_arrives_by_every_path_in_every_form(
    llm: EFTLLM, engine: Engine, path: str, form: str
) -> None:
    expected = engine.generate(ASK, alpha=2.5, max_tokens=6).text
    assert FORMS[form](PATHS[path](llm, 2.5)) == expected
    assert expected != llm.invoke(ASK, alpha=0.0)


def test_a_batch_has_a_config_for_each_row(llm: EFTLLM) -> None:
    alphas = [0.0, 2.5]
    configs: Any = [{"configurable": {"eft_alpha": alpha}} for alpha in alphas]
    expected = [llm.invoke(ASK, alpha=alpha) for alpha in alphas]
    assert llm.batch([ASK] * 2, configs) == expected
    assert asyncio.run(llm.abatch([ASK] * 2, configs)) == expected


def test_the_cache_tells_options_of_a_call_apart(llm: EFTLLM) -> None:
    model = llm.model_copy(update={"cache": InMemoryCache()})
    first = model.invoke(ASK, alpha=0.0)
    assert model.invoke(ASK, alpha=2.5) == llm.invoke(ASK, alpha=2.5) != first
    assert model.invoke(ASK, alpha=0.0) == first


def test_stops_of_the_model_and_of_the_call_both_end(llm: EFTLLM) -> None:
    text = llm.invoke(ASK, max_tokens=20)
    model = llm.with_options(max_tokens=20, stop=[text[2:4]])
    expected = llm.invoke(ASK, max_tokens=20, stop=[text[2:4], text[6:8]])
    assert len(expected) <= 2
    for answer in (
        model.invoke(ASK, stop=[text[6:8]]),
        model.bind(stop=[text[6:8]]).batch([ASK, ASK])[1],
        "".join(model.stream(ASK, stop=[text[6:8]])),
    ):
        assert answer == expected


def test_tokens_are_told_to_handlers(llm: EFTLLM) -> None:
    class Heard(BaseCallbackHandler):
        def __init__(self) -> None:
            self.text = ""

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.text += token

    heard = Heard()
    text = "".join(llm.stream(ASK, {"callbacks": [heard]}))
    assert heard.text == text == llm.invoke(ASK)


def test_usage_and_choices_are_told(llm: EFTLLM) -> None:
    result = llm.generate([ASK, ASK], n=2, temperature=1.0, seed=1)
    assert [len(row) for row in result.generations] == [2, 2]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["completion_tokens"] == 12


def test_chat_options_are_unknown_to_a_text_model(llm: EFTLLM) -> None:
    with pytest.raises(UnknownOption, match="tools"):
        llm.invoke(ASK, tools=[])


def test_both_faces_share_one_engine() -> None:
    assert EFTLLM().engine is ChatEFT().engine
