"""``ChatEFT``: an up-scaled model as LangChain's chat model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Self, cast

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ContextThreadPoolExecutor
from langchain_core.runnables.utils import (
    AnyConfigurableField,
    ConfigurableFieldSpec,
    gather_with_concurrency,
)
from pydantic import model_validator

from eft_integrations import __version__
from eft_integrations.langchain.asking import Asked, ask, chat_request
from eft_integrations.langchain.batching import rows, together, wide
from eft_integrations.langchain.binding import EFTBinding, EFTConfigurable
from eft_integrations.langchain.chunks import PROVIDER
from eft_integrations.langchain.fields import EFTFields
from eft_integrations.langchain.options import configured, refuse_unknown_options
from eft_integrations.langchain.structured import structured
from eft_integrations.langchain.tools import tool_schemas


class ChatEFT(EFTFields, BaseChatModel):
    """A chat model that says what the large model would say, had it been tuned like the small one.

    ``ChatEFT()`` is the embedded family; ``ChatEFT(base=…, tuned=…, reference=…, alpha=…)`` loads
    your own members on first use; ``ChatEFT(engine=engine)`` speaks through an open engine. Every
    option of ``Engine.generate`` is a field, a keyword of each call, and can be bound. Precedence:
    keywords (given or bound), then ``config={"configurable": {"eft_alpha": …}}``, then fields.

    ``templates``, ``dialect`` and ``reasoning`` are those of ``chat.ChatRequest``.
    """

    templates: Mapping[str, str] | None = None
    dialect: str | None = None
    reasoning: bool | None = None
    # None, since any other default counts as given once a field is configurable
    streaming: bool | None = None

    @model_validator(mode="after")
    def _set_eft_version(self) -> Self:
        self._add_version("eft-integrations", __version__)
        return self

    @property
    def _llm_type(self) -> str:
        return "eft-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        own = {"templates": self.templates, "dialect": self.dialect, "reasoning": self.reasoning}
        return {**self.identity(), **{k: v for k, v in own.items() if v is not None}}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        name = kwargs.get("model") or self.model_name
        return LangSmithParams(**{**params, "ls_provider": PROVIDER, "ls_model_name": name})

    def _resolve_model_profile(self) -> ModelProfile | None:
        self.engine = self.found_engine()  # core asks before our own validators ran
        profile = ModelProfile(
            name=self.model_name,
            open_weights=True,
            text_inputs=True,
            text_outputs=True,
            tool_calling=True,
            tool_choice=True,
            tool_call_streaming=True,
            structured_output=True,
            temperature=True,
        )
        context_len = self.engine.context_len
        return profile if context_len is None else {**profile, "max_input_tokens": context_len}

    # Answers.

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 — core reports
        **kwargs: Any,
    ) -> ChatResult:
        asked = ask(self, messages, stop, kwargs)
        return asked.result(asked.ready.answers())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        asked = await asyncio.to_thread(ask, self, messages, stop, kwargs)
        return asked.result(await asked.ready.aanswers())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 — core reports tokens
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        asked = ask(self, messages, stop, kwargs)
        chunker = asked.chunker()
        with asked.ready.stream() as told:
            for events in told:
                chunk = chunker.chunk(events)
                if chunk is not None:
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked: Asked = await asyncio.to_thread(ask, self, messages, stop, kwargs)
        chunker = asked.chunker()
        async with asked.ready.astream() as told:
            async for events in told:
                chunk = chunker.chunk(events)
                if chunk is not None:
                    yield chunk

    # Coefficients from the runtime config, on every way in.

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """The keys of ``configurable`` that a run may set."""
        return [*super().config_specs, *self.specs()]

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """One answer."""
        return super().invoke(input, config, **configured(config, kwargs))

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """The twin of :meth:`invoke`; cancelling it ends the computation."""
        return await super().ainvoke(input, config, **configured(config, kwargs))

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """An answer as it is written; breaking off ends the computation."""
        yield from super().stream(input, config, **configured(config, kwargs))

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """The twin of :meth:`stream`."""
        async for chunk in super().astream(input, config, **configured(config, kwargs)):
            yield chunk

    def stream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """As core's; ``version="v3"`` gives a ``ChatModelStream``."""
        return super().stream_events(input, config, **configured(config, kwargs))

    def astream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """The twin of :meth:`stream_events`."""
        return super().astream_events(input, config, **configured(config, kwargs))

    # Many at once: the engine batches whatever runs at the same time.

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """All answers as one engine batch, unless ``max_concurrency`` says otherwise."""
        if not inputs:
            return []
        return super().batch(inputs, wide(config, len(inputs), self.most_at_once), **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """The twin of :meth:`batch`."""
        if not inputs:
            return []
        return await super().abatch(inputs, wide(config, len(inputs), self.most_at_once), **kwargs)

    async def abatch_as_completed(
        self, inputs: Sequence[Any], config: Any = None, **kwargs: Any
    ) -> AsyncIterator[tuple[int, Any]]:
        """As core's, with no more at once than is of use."""
        configs = wide(config, len(inputs), self.most_at_once) if inputs else config
        async for each in super().abatch_as_completed(inputs, configs, **kwargs):
            yield each

    def generate(self, messages: list[list[BaseMessage]], *args: Any, **kwargs: Any) -> LLMResult:
        """All answers as one engine batch."""
        if len(messages) < 2:
            return super().generate(messages, *args, **kwargs)
        one: Callable[..., LLMResult] = super().generate
        with ContextThreadPoolExecutor(min(len(messages), self.most_at_once)) as pool:
            futures = [pool.submit(one, row, *args, **own) for row, own in rows(messages, kwargs)]
            return together(self, [future.result() for future in futures])

    async def agenerate(
        self, messages: list[list[BaseMessage]], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """The twin of :meth:`generate`."""
        if len(messages) < 2:
            return await super().agenerate(messages, *args, **kwargs)
        one: Callable[..., Coroutine[Any, Any, LLMResult]] = super().agenerate
        calls = (one(row, *args, **own) for row, own in rows(messages, kwargs))
        return together(self, await gather_with_concurrency(self.most_at_once, *calls))

    # Tools, objects, counts.

    def bind(self, **kwargs: Any) -> EFTBinding:
        """A binding that keeps its keywords under ``bind_tools`` and the like."""
        return EFTBinding(bound=self, kwargs=kwargs, config={})

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> EFTBinding:
        """A binding that keeps its config under ``bind_tools`` and the like."""
        merged = cast("RunnableConfig", {**(config or {}), **kwargs})
        return EFTBinding(bound=self, kwargs={}, config=merged)

    def configurable_fields(self, **kwargs: AnyConfigurableField) -> EFTConfigurable:
        """As core's, and still configurable under ``bind_tools`` and the like."""
        super().configurable_fields(**kwargs)  # refuses what is no field
        return EFTConfigurable(default=self, fields=kwargs)

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: Any = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> EFTBinding:
        """Functions, pydantic classes, TypedDicts, JSON schemas or ``BaseTool``; see ChatRequest.

        ``tool_choice`` is enforced, and arguments always satisfy their schema.
        """
        refuse_unknown_options(_public(kwargs), is_chat=True)
        asked = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        given = {key: value for key, value in asked.items() if value is not None}
        return self.bind(tools=tool_schemas(tools, strict=strict), **given, **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: str = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as objects of ``schema``, by "json_schema", "function_calling" or "json_mode".

        The grammar holds the answer to the schema and closes it within ``max_tokens``.
        """
        return structured(
            self.bind, schema, method=method, include_raw=include_raw, strict=strict, **kwargs
        )

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of a text, as the members read it."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return self.speaker.encode(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Exactly the prompt tokens of a call with these messages and tools."""
        return self.speaker.num_tokens(chat_request(self, messages, {"tools": tools}))


def _public(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keywords that LangChain binds for its own tracing."""
    return {k: v for k, v in kwargs.items() if not k.endswith("structured_output_format")}
