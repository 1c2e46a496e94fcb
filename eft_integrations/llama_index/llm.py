"""``EFTLLM``: an up-scaled model as LlamaIndex's function-calling model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from llama_index.core import PromptHelper, Settings
from llama_index.core.base.llms.generic_utils import messages_to_prompt as generic_prompt
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.constants import DEFAULT_NUM_OUTPUTS
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection, default_completion_to_prompt
from llama_index.core.llms.loading import RECOGNIZED_LLMS
from llama_index.core.types import PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, model_serializer, model_validator

from eft_integrations.chat import ChatRequest
from eft_integrations.chat.options import OPTIONS, choice_of, overlaid
from eft_integrations.errors import ContextOverflow, InvalidRequest, UnusableAnswer, refuse_unknown
from eft_integrations.llama_index.asking import ask, ask_text, refuse_choices
from eft_integrations.llama_index.cancelling import CancelScope, cancel_scope
from eft_integrations.llama_index.copies import Portable, without_local
from eft_integrations.llama_index.holding import akept, kept
from eft_integrations.llama_index.overriding import overrides_of, overriding
from eft_integrations.llama_index.responses import completion
from eft_integrations.llama_index.streams import acompleted, astreamed, completed, streamed
from eft_integrations.llama_index.structured import Form, StructuredEFTLLM
from eft_integrations.llama_index.tools import is_answer_form, with_requirement, without_call
from eft_integrations.options import parse
from eft_integrations.remote.fields import ServedFields

dispatcher = get_dispatcher(__name__)
_PROGRAM_MODES = [
    PydanticProgramMode.DEFAULT,
    PydanticProgramMode.FUNCTION,
    PydanticProgramMode.LLM,
]


class EFTLLM(Portable, ServedFields, FunctionCallingLLM):
    """A model that says what the large model would say, had it been tuned like the small one.

    ``EFTLLM()`` is the embedded family; ``EFTLLM(base=…, tuned=…, reference=…, alpha=…)`` loads
    your own members on first use; ``EFTLLM(engine=engine)`` speaks through an open engine. Every
    option of ``Engine.generate`` but ``n`` is a field and a keyword of each call. Precedence:
    keywords of the call, what :meth:`bind` bound, then :meth:`override`, then fields.

    ``templates``, ``dialect`` and ``reasoning`` are those of ``chat.ChatRequest``.
    """

    templates: Mapping[str, str] | None = None
    dialect: str | None = None
    reasoning: bool | None = None
    bound_options: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _refuse_what_would_do_nothing(self) -> Self:
        refuse_choices(self.engine_options())
        if self.messages_to_prompt is not generic_prompt:
            raise InvalidRequest("messages_to_prompt has no effect here; give templates=")
        if self.completion_to_prompt is not default_completion_to_prompt:
            raise InvalidRequest("completion_to_prompt has no effect here; give templates=")
        if self.query_wrapper_prompt is not None:
            raise InvalidRequest("query_wrapper_prompt has no effect here; give system_prompt=")
        if self.pydantic_program_mode not in _PROGRAM_MODES:
            raise InvalidRequest(
                f"pydantic_program_mode must be default, function or llm, got "
                f"{self.pydantic_program_mode.value!r}; leave it out, a grammar holds objects"
            )
        return self

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex loads it again."""
        return "EFTLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """Context of the shortest member, and what the model can do.

        Loads members that no local config tells the context of.
        """
        context_len = self.engine.context_len
        return LLMMetadata(
            context_window=self.speaker.context_len if context_len is None else context_len,
            num_output=self.options_in_force().get("max_tokens", DEFAULT_NUM_OUTPUTS),
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self.model_name,
            system_role=MessageRole.SYSTEM,
        )

    def to_payload(self) -> dict[str, Any]:
        """What events tell of the model; loads nothing."""
        told = self._in_force().identity()
        return {"class_name": self.class_name(), "model_name": self.model_name, **told}

    # Options: fields, overrides, copies.

    def options_in_force(self) -> dict[str, Any]:
        """The options of a call that names none."""
        own = self.engine_options()
        bound = {name: own[name] for name in self.bound_options if name in own}
        return overlaid(overlaid(own, overrides_of(self.engine)), bound)

    def _in_force(self) -> Self:
        """A copy whose fields are the options in force; itself where no override holds."""
        return self.with_options(**self.options_in_force()) if overrides_of(self.engine) else self

    def bind(self, **options: Any) -> Self:
        """A copy on the same engine with options that hold even inside :meth:`override`."""
        copy = self.with_options(**options)
        bound = {key for key, value in options.items() if value is not None}
        copy.bound_options = tuple(sorted({*self.bound_options, *bound}))
        return copy

    def override(self, **options: Any) -> AbstractContextManager[None]:
        """Options for all that this model and its copies are asked inside the ``with``.

        They reach query engines, chat engines and agents, in the threads and tasks that these
        start, and hold while a response or a stream that was asked for inside is read outside.
        Only the streams of core's own programs begin where they are read: read those inside.
        """
        refuse_unknown("option", options, OPTIONS)
        refuse_choices(options)
        parse(overlaid(self.engine_options(), options))
        return overriding(self.engine, options)

    def cancel_scope(self) -> AbstractContextManager[CancelScope]:
        """``with llm.cancel_scope() as scope``: ``scope.cancel()`` ends what is asked inside.

        For threads in which LlamaIndex reads the model, such as those of its chat engines.
        """
        return cancel_scope()

    def tokenize(self, text: str) -> list[int]:
        """Token ids of a text, as the members read it."""
        return self.speaker.encode(text)

    def configure_settings(self, *output_classes: type[BaseModel]) -> None:
        """Make it the model of LlamaIndex's ``Settings``, and count all budgets in its tokens.

        Loads the members, since prompts leave room for what their chat template adds, and for the
        schemas of ``output_classes``: those that query engines get as ``output_cls``.
        Raises ``ContextOverflow`` where ``max_tokens`` leaves no room for a prompt.
        """
        frame = [{"role": role, "content": ""} for role in ("system", "user")]
        forms = [None, *(kind.model_json_schema() for kind in output_classes)]
        asks = (ChatRequest(messages=frame, response_format=form) for form in forms)
        num_output = self.metadata.num_output
        room = self.metadata.context_window - max(map(self.speaker.num_tokens, asks))
        if num_output >= room:
            raise ContextOverflow(
                f"max_tokens must be below {room}, what the chat template and the forms leave of "
                f"the context, got {num_output}; lower it or give smaller classes"
            )
        Settings.llm = self
        Settings.tokenizer = self.tokenize
        Settings.prompt_helper = PromptHelper(context_window=room, num_output=num_output)

    # The eight endpoints. Requests are read at once, so that an override holds for a stream that
    # is read later.

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One answer."""
        return ask(self, messages, kwargs).whole()

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The twin of :meth:`chat`; cancelling it ends the computation."""
        asked = await asyncio.to_thread(ask, self, messages, kwargs)
        return await asked.awhole()

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """An answer as it is written; breaking off ends the computation."""
        return streamed(ask(self, messages, kwargs))

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """The twin of :meth:`stream_chat`."""
        return astreamed(await asyncio.to_thread(ask, self, messages, kwargs))

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """An answer to ``prompt`` as a user's message; with ``formatted`` its continuation."""
        return completion(ask_text(self, prompt, kwargs, is_formatted=formatted).whole())

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """The twin of :meth:`complete`."""
        asked = await asyncio.to_thread(ask_text, self, prompt, kwargs, is_formatted=formatted)
        return completion(await asked.awhole())

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """As :meth:`complete`, as it is written."""
        return completed(ask_text(self, prompt, kwargs, is_formatted=formatted))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """The twin of :meth:`stream_complete`."""
        asked = await asyncio.to_thread(ask_text, self, prompt, kwargs, is_formatted=formatted)
        return acompleted(asked)

    # Calls.

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[Any],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002 — there is nothing to tell
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        asked = [ChatMessage(content=user_msg)] if isinstance(user_msg, str) else [user_msg]
        choice = choice_of(kwargs.pop("tool_choice", None))
        if choice == "none" and tool_required:
            raise InvalidRequest(
                "tool_required and tool_choice='none' exclude each other; leave one out, or in "
                "predict_and_call give error_on_no_tool_call=False"
            )
        if choice == "auto" and (tool_required or is_answer_form(tools)):
            choice = "any"
        return {
            "messages": [*(chat_history or []), *(m for m in asked if m is not None)],
            "tools": list(tools),
            "tool_choice": choice,
            "parallel_tool_calls": allow_parallel_tool_calls,
            **kwargs,
        }

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **_: Any
    ) -> list[ToolSelection]:
        """The calls of a response, or, of a stream, as far as they are written.

        Raises ``UnusableAnswer`` where there are none and ``error_on_no_tool_call`` is set.
        """
        blocks = [b for b in response.message.blocks if isinstance(b, ToolCallBlock)]
        if not blocks and error_on_no_tool_call:
            raise UnusableAnswer(without_call(response))
        return [
            ToolSelection(
                tool_id=block.tool_call_id or block.tool_name,
                tool_name=block.tool_name,
                tool_kwargs=block.tool_kwargs,  # type: ignore[arg-type] # text becomes {}
            )
            for block in blocks
        ]

    def predict_and_call(self, tools: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """As core's, with a call required unless ``error_on_no_tool_call`` is False."""
        return super().predict_and_call(**with_requirement(tools, args, kwargs))

    async def apredict_and_call(self, tools: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """The twin of :meth:`predict_and_call`."""
        given = with_requirement(tools, args, kwargs)
        if is_answer_form(tools):  # core's program says the system prompt in its sync call only
            given["chat_history"] = self._with_system_prompt(given.get("chat_history") or [])
        return await super().apredict_and_call(**given)

    def _with_system_prompt(self, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
        said = self._extend_messages([])
        return messages if messages[: len(said)] == said else [*said, *messages]

    # Objects. Other modes than the default one are core's own programs.

    @dispatcher.span
    def structured_predict(
        self,
        output_cls: Any,
        prompt: Any,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """An object of ``output_cls``, within max_tokens; raises ``UnusableAnswer`` if not."""
        if self.pydantic_program_mode is not PydanticProgramMode.DEFAULT:
            return super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(_start(output_cls, prompt, prompt_args))
        output = Form(self, output_cls, prompt).fill(llm_kwargs or {}, prompt_args)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @dispatcher.span
    async def astructured_predict(
        self,
        output_cls: Any,
        prompt: Any,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Any:
        """The twin of :meth:`structured_predict`."""
        if self.pydantic_program_mode is not PydanticProgramMode.DEFAULT:
            return await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        dispatcher.event(_start(output_cls, prompt, prompt_args))
        output = await Form(self, output_cls, prompt).afill(llm_kwargs or {}, prompt_args)
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredEFTLLM:
        """A model that answers with objects of ``output_cls`` only; options are bound to it."""
        options = {name: kwargs.pop(name) for name in [*kwargs] if name in OPTIONS}
        refuse_unknown("setting or option", kwargs, [*StructuredEFTLLM.model_fields, *OPTIONS])
        llm = self.bind(**options) if options else self
        return StructuredEFTLLM(llm=llm, output_cls=output_cls, **kwargs)

    def stream_structured_predict(
        self,
        output_cls: Any,
        prompt: Any,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        """The object as far as it is written, again and again; the last one is whole."""
        return kept(
            super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        )

    async def astream_structured_predict(
        self,
        output_cls: Any,
        prompt: Any,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        """The twin of :meth:`stream_structured_predict`."""
        objects = super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        return akept(await objects)

    def _structured_stream_call(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> Generator[Any, None, None]:
        if self.pydantic_program_mode is not PydanticProgramMode.DEFAULT:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return Form(self, output_cls, prompt).stream(llm_kwargs or {}, prompt_args)

    async def _structured_astream_call(
        self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        if self.pydantic_program_mode is not PydanticProgramMode.DEFAULT:
            return await super()._structured_astream_call(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
        return Form(self, output_cls, prompt).astream(llm_kwargs or {}, prompt_args)

    # Copies, pickles and dumps share the engine, or find it by its settings.

    @model_serializer(mode="wrap")
    def custom_model_dump(self, handler: Any, _: Any) -> dict[str, Any]:
        """Plain values, with the members of an engine that was given, and the options in force.

        So what LlamaIndex keeps by the dump of a model is not found again under another override.
        """
        data: dict[str, Any] = handler(self._in_force())
        told = self.plain_settings()
        return {**data, **{k: v for k, v in told.items() if k in data}, "class_name": "EFTLLM"}

    def __getstate__(self) -> dict[Any, Any]:
        return without_local(ServedFields.__getstate__(self))  # which leaves keys and engines out


def _start(output_cls: Any, prompt: Any, arguments: Any) -> LLMStructuredPredictStartEvent:
    return LLMStructuredPredictStartEvent(
        output_cls=output_cls, template=prompt, template_args=arguments
    )


RECOGNIZED_LLMS[EFTLLM.class_name()] = EFTLLM
