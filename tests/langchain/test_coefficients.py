"""Coefficients: every path × every form arrives, and the weights are loaded once."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField, RunnableConfig, RunnableLambda
from transformers import AutoModelForCausalLM

from eft_integrations import Engine, InvalidRequest, Mixture, UnknownOption
from eft_integrations.chat import render
from eft_integrations.langchain import ChatEFT
from tests.mixtures import MIXTURES

Path = Callable[[ChatEFT, float], Any]
ASK = "Hello"
SCHEMA = {
    "title": "Answer",
    "type": "object",
    "properties": {"x": {"type": "boolean"}},
    "required": ["x"],
}


def now() -> str:
    """Tell the time."""
    return "noon"


def configured(alpha: float) -> RunnableConfig:
    return RunnableConfig(configurable={"eft_alpha": alpha})


def fields(model: ChatEFT) -> Any:
    return model.configurable_fields(alpha=ConfigurableField(id="alpha"))


PATHS: dict[str, Path] = {
    "constructor": lambda m, a: ChatEFT(engine=m.engine, max_tokens=6, alpha=a),
    "with_alpha": lambda m, a: m.with_alpha(a),
    "bind": lambda m, a: m.bind(alpha=a),
    "bind twice": lambda m, a: m.bind(alpha=9.0).bind(alpha=a),
    "with_config": lambda m, a: m.with_config(configured(a)),
    "configurable_fields": lambda m, a: fields(m).with_config(configurable={"alpha": a}),
    "chain": lambda m, a: (RunnableLambda(str) | m).with_config(configured(a)),
    "config over field": lambda m, a: m.with_alpha(9.0).with_config(configured(a)),
    "bind over config": lambda m, a: m.bind(alpha=a).with_config(configured(9.0)),
    "bound, with tools": lambda m, a: m.bind(alpha=a).bind_tools([now]),
    "tools, then bound": lambda m, a: m.bind_tools([now]).bind(alpha=a),
    "with tools": lambda m, a: m.bind_tools([now], alpha=a),
    "tools and config": lambda m, a: m.bind_tools([now]).with_config(configured(a)),
    "config, then tools": lambda m, a: m.with_config(configured(a)).bind_tools([now]),
    "fields, then tools": lambda m, a: (
        fields(m).bind_tools([now]).with_config(configurable={"alpha": a})
    ),
    "pickle": lambda m, a: pickle.loads(pickle.dumps(m.with_alpha(a))),
    "deepcopy": lambda m, a: copy.deepcopy(m.with_alpha(a)),
}
STRUCTURED: dict[str, Path] = {
    "bound before": lambda m, a: m.bind(alpha=a).with_structured_output(SCHEMA, include_raw=True),
    "given": lambda m, a: m.with_structured_output(SCHEMA, include_raw=True, alpha=a),
    "with_alpha": lambda m, a: m.with_alpha(a).with_structured_output(SCHEMA, include_raw=True),
    "config": lambda m, a: m.with_structured_output(SCHEMA, include_raw=True).with_config(
        configured(a)
    ),
    "config before": lambda m, a: m.with_config(configured(a)).with_structured_output(
        SCHEMA, include_raw=True
    ),
    "fields before": lambda m, a: (
        fields(m)
        .bind(temperature=0.0)
        .with_structured_output(SCHEMA, include_raw=True)
        .with_config(configurable={"alpha": a})
    ),
}


def streamed(runnable: Any) -> AIMessage:
    chunks = list(runnable.stream(ASK))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessage)
    return total


async def astreamed(runnable: Any) -> AIMessage:
    total: Any = None
    async for chunk in runnable.astream(ASK):
        total = chunk if total is None else total + chunk
    assert isinstance(total, AIMessage)
    return total


FORMS: dict[str, Callable[[Any], AIMessage]] = {
    "invoke": lambda r: r.invoke(ASK),
    "ainvoke": lambda r: asyncio.run(r.ainvoke(ASK)),
    "stream": streamed,
    "astream": lambda r: asyncio.run(astreamed(r)),
    "batch": lambda r: r.batch([ASK])[0],
    "abatch": lambda r: asyncio.run(r.abatch([ASK]))[0],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", PATHS)
def test_alpha_arrives_by_every_path_in_every_form(chat: ChatEFT, path: str, form: str) -> None:
    message = FORMS[form](PATHS[path](chat, 0.3))
    assert message.response_metadata["eft"]["alpha"] == 0.3


@pytest.mark.filterwarnings("ignore:The method .* is in beta")
@pytest.mark.parametrize("path", [name for name in PATHS if name != "chain"])
async def test_alpha_arrives_in_event_streams(chat: ChatEFT, path: str) -> None:
    runnable = PATHS[path](chat, 0.3)
    if "fields" not in path:  # these have no third version of their own
        output = runnable.stream_events(ASK, version="v3").output
        assert output.response_metadata["eft"]["alpha"] == 0.3
        later = await runnable.astream_events(ASK, version="v3")
        assert (await later.output).response_metadata["eft"]["alpha"] == 0.3
    events = [event async for event in runnable.astream_events(ASK, version="v2")]
    ends = [e for e in events if e["event"] == "on_chat_model_end"]
    assert [e["data"]["output"].response_metadata["eft"]["alpha"] for e in ends] == [0.3]


@pytest.mark.parametrize("path", STRUCTURED)
def test_alpha_arrives_under_structured_output(chat: ChatEFT, path: str) -> None:
    found = STRUCTURED[path](chat.with_options(max_tokens=24), 0.3).invoke(ASK)
    assert found["raw"].response_metadata["eft"]["alpha"] == 0.3


@pytest.mark.parametrize(("given", "mixture"), MIXTURES)
def test_every_form_of_mixture_is_the_engines_own(
    chat: ChatEFT, engine: Engine, given: dict[str, Any], mixture: Mixture
) -> None:
    prompt = render(engine, [{"role": "user", "content": ASK}])
    expected = engine.generate(prompt, mixture=mixture, max_tokens=6).text
    assert chat.with_alpha(7.0).bind(**given).invoke(ASK).content == expected
    assert chat.invoke(
        ASK, {"configurable": {f"eft_{k}": v for k, v in given.items()}}
    ).content == (expected)


def test_a_batch_has_a_config_for_each_row(chat: ChatEFT) -> None:
    alphas = [0.0, 0.5, 2.0]
    rows = chat.batch([ASK] * 3, [configured(alpha) for alpha in alphas])
    assert [row.content for row in rows] == [chat.invoke(ASK, alpha=a).content for a in alphas]
    assert len({row.content for row in rows}) > 1


def test_all_paths_load_the_weights_once(own: ChatEFT, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    load = AutoModelForCausalLM.from_pretrained

    def counted(*args: Any, **kwargs: Any) -> Any:
        loads.append(args)
        return load(*args, **kwargs)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", counted)
    twin = ChatEFT(
        **{k: getattr(own, k) for k in ("base", "tuned", "reference", "dtype", "max_queue")}
    )
    for path in PATHS.values():
        path(own, 0.3).invoke(ASK)
    twin.invoke(ASK, max_tokens=2)
    assert len(loads) == 3
    own.open_engine.close()


def test_unknown_coefficients_are_refused_with_a_suggestion(chat: ChatEFT) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        chat.invoke(ASK, alhpa=1.0)
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        chat.invoke(ASK, {"configurable": {"eft_alpa": 1.0}})
    with pytest.raises(UnknownOption, match="did you mean 'alpha'"):
        ChatEFT(alpa=1.0)  # type: ignore[call-arg] # the typo is the point
    with pytest.raises(InvalidRequest, match="exclude each other"):
        ChatEFT(alpha=1.0, beta=1.0)
