"""``EFTLLM``: an up-scaled model as LangChain's text model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.llms import BaseLLM
from langchain_core.outputs import Generation as TextGeneration
from langchain_core.outputs import GenerationChunk, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import ConfigurableFieldSpec

from eft_integrations.chat.events import Finish, TextDelta, TokenDetail, end_of_answer
from eft_integrations.chat.options import OPTIONS, call_options, joined_stops
from eft_integrations.chat.speaker import Answer, Ready, Speaker
from eft_integrations.langchain.batching import wide
from eft_integrations.langchain.chunks import PROVIDER
from eft_integrations.langchain.fields import EFTFields
from eft_integrations.langchain.options import (
    PREFIX,
    configured,
    refuse_unknown_options,
)


class EFTLLM(EFTFields, BaseLLM):
    """A text model: a prompt is raw text, and goes on as the up-scaled model would write.

    Settings, options and precedence as those of :class:`ChatEFT`, with which it shares its engine.
    """

    @property
    def _llm_type(self) -> str:
        return "eft"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return self.identity()

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        name = kwargs.get("model") or self.model_name
        return LangSmithParams(**{**params, "ls_provider": PROVIDER, "ls_model_name": name})

    # Answers.

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 — nothing is streamed
        **kwargs: Any,
    ) -> LLMResult:
        options = self._options(stop, kwargs)
        return self._result(self.speaker.texts(prompts, options, self.delivery(kwargs)))

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> LLMResult:
        options = self._options(stop, kwargs)
        speaker: Speaker = await asyncio.to_thread(lambda: self.speaker)
        return self._result(await speaker.atexts(prompts, options, self.delivery(kwargs)))

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        with self._ready(prompt, stop, kwargs).stream() as told:
            for events in told:
                chunk = _chunk(events)
                if run_manager is not None:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        ready: Ready = await asyncio.to_thread(self._ready, prompt, stop, kwargs)
        async with ready.astream() as told:
            async for events in told:
                chunk = _chunk(events)
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _ready(self, prompt: str, stop: list[str] | None, keywords: Mapping[str, Any]) -> Ready:
        options = self._options(stop, keywords)
        return self.speaker.text(prompt, options, self.delivery(keywords))

    def _options(self, stop: list[str] | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
        refuse_unknown_options(keywords, is_chat=False)
        return call_options(self.engine_options(), keywords, stop)

    def _result(self, rows: Sequence[Sequence[Answer]]) -> LLMResult:
        counts = [end_of_answer(row[0]).usage.counts for row in rows]
        usage = {name: sum(each[name] for each in counts) for name in counts[0]} if counts else {}
        texts = [[_told(answer) for answer in row] for row in rows]
        told = {"token_usage": usage, "model_name": self.model_name}
        return LLMResult(generations=texts, llm_output=told)

    # LangChain's cache of text models looks at fields and not at keywords
    # (https://github.com/langchain-ai/langchain/issues/40403), so that keywords become fields.

    def generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """As core's, with a cache that tells options apart."""
        model, rest = self._folded(kwargs)
        return BaseLLM.generate(model, prompts, *args, **rest)

    async def agenerate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:
        """The twin of :meth:`generate`."""
        model, rest = self._folded(kwargs)
        return await BaseLLM.agenerate(model, prompts, *args, **rest)

    def _folded(self, keywords: Mapping[str, Any]) -> tuple[EFTLLM, dict[str, Any]]:
        """A copy that has the options among ``keywords`` as fields, and the other keywords."""
        options = {k: v for k, v in keywords.items() if k in OPTIONS and v is not None}
        rest = {k: v for k, v in keywords.items() if k not in OPTIONS and k != "model"}
        if stops := joined_stops(self.stop, options.get("stop")):
            options["stop"] = stops
        name = keywords.get("model")
        model = self.with_options(**options) if options else self
        return (model.model_copy(update={"model": name}) if name else model), rest

    # Coefficients from the runtime config, on every way in.

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """The keys of ``configurable`` that a run may set."""
        return [*super().config_specs, *self.specs()]

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> str:
        """One text."""
        return super().invoke(input, config, **configured(config, kwargs))

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> str:
        """The twin of :meth:`invoke`; cancelling it ends the computation."""
        return await super().ainvoke(input, config, **configured(config, kwargs))

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str]:
        """A text as it is written; breaking off ends the computation."""
        yield from super().stream(input, config, **configured(config, kwargs))

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        """The twin of :meth:`stream`."""
        async for text in super().astream(input, config, **configured(config, kwargs)):
            yield text

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """All texts as one engine batch, also where each row has a config of its own."""
        configs = wide(config, len(inputs), self.most_at_once) if inputs else []
        if not any(map(_has_own, configs)):
            return super().batch(inputs, config, **kwargs)
        return Runnable.batch(self, inputs, configs, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """The twin of :meth:`batch`."""
        configs = wide(config, len(inputs), self.most_at_once) if inputs else []
        if not any(map(_has_own, configs)):
            return await super().abatch(inputs, config, **kwargs)
        return await Runnable.abatch(self, inputs, configs, **kwargs)

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of a text, as the members read it."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return self.speaker.encode(text)


def _has_own(config: RunnableConfig) -> bool:
    """Whether a run's config names options."""
    return any(key.startswith(PREFIX) for key in config.get("configurable") or {})


def _told(answer: Answer) -> TextGeneration:
    info: dict[str, Any] = {"finish_reason": end_of_answer(answer).reason}
    tokens = [event for event in answer if isinstance(event, TokenDetail)]
    if tokens:
        info["logprobs"] = [token.token.logprob for token in tokens]
    shares = [dict(t.contributions) for t in tokens if t.contributions is not None]
    if shares:
        info["contributions"] = shares
    return TextGeneration(text=_text(answer), generation_info=info)


def _chunk(events: Answer) -> GenerationChunk:
    finish = next((event for event in events if isinstance(event, Finish)), None)
    info = {"finish_reason": finish.reason} if finish else None
    return GenerationChunk(text=_text(events), generation_info=info)


def _text(events: Answer) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
