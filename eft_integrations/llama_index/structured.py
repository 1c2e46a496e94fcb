"""Answers as objects of a pydantic class, held to its schema by the grammar."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.generic_utils import (
    astream_chat_to_completion_decorator,
    stream_chat_to_completion_decorator,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.program.utils import process_streaming_objects
from llama_index.core.prompts import BasePromptTemplate
from pydantic import BaseModel, ValidationError

from eft_integrations.errors import ContextOverflow, InvalidRequest, UnusableAnswer
from eft_integrations.llama_index.copies import Portable
from eft_integrations.llama_index.holding import akept, kept

if TYPE_CHECKING:
    from eft_integrations.llama_index.llm import EFTLLM


class StructuredEFTLLM(Portable, StructuredLLM):
    """A model all of whose answers are objects of one class.

    Core's has no streams of texts, and its other streams begin only when they are read: these keep
    what held when they were asked for. What is written of an object is no text that grows, so all
    of it is the delta of a last chunk.
    """

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """The object as far as it is written, again and again, as JSON and in ``raw``."""
        return _told(kept(super().stream_chat(messages, **kwargs)))

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """The twin of :meth:`stream_chat`."""
        return _atold(akept(await super().astream_chat(messages, **kwargs)))

    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 — as core's other endpoints
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """As :meth:`stream_chat`, asked by a user's words."""
        return stream_chat_to_completion_decorator(self.stream_chat)(prompt, **kwargs)

    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 — as core's other endpoints
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """The twin of :meth:`stream_complete`."""
        return await astream_chat_to_completion_decorator(self.astream_chat)(prompt, **kwargs)


def _told(stream: ChatResponseGen) -> ChatResponseGen:
    last: ChatResponse | None = None
    with closing(stream):
        for last in stream:
            yield last.model_copy(update={"delta": ""})
    if last is not None:
        yield last.model_copy(update={"delta": last.message.content or ""})


async def _atold(stream: ChatResponseAsyncGen) -> ChatResponseAsyncGen:
    last: ChatResponse | None = None
    async with aclosing(stream):
        async for last in stream:
            yield last.model_copy(update={"delta": ""})
    if last is not None:
        yield last.model_copy(update={"delta": last.message.content or ""})


class Form:
    """One prompt whose answer is an object."""

    def __init__(
        self, llm: EFTLLM, output_cls: type[BaseModel], prompt: BasePromptTemplate
    ) -> None:
        self._llm = llm
        self._output_cls = output_cls
        self._prompt = prompt

    def fill(self, keywords: Mapping[str, Any], arguments: Mapping[str, Any]) -> BaseModel:
        """The object; ``arguments`` fill the prompt, ``keywords`` go with the call."""
        messages = self._messages(arguments)
        with self._told_of_room():
            response = self._llm.chat(messages, **self._options(keywords))
        return self._parsed(response)

    async def afill(self, keywords: Mapping[str, Any], arguments: Mapping[str, Any]) -> BaseModel:
        """The twin of :meth:`fill`."""
        messages = self._messages(arguments)
        with self._told_of_room():
            response = await self._llm.achat(messages, **self._options(keywords))
        return self._parsed(response)

    def stream(
        self, keywords: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Generator[Any, None, None]:
        """The object as far as it is written, again and again; the last one is whole."""
        response: ChatResponse | None = None
        partial = None
        messages = self._messages(arguments)
        with self._told_of_room():
            for response in self._llm.stream_chat(messages, **self._options(keywords)):
                partial = self._partial(response, partial)
                if partial is not None:
                    yield partial
        if response is not None:
            yield self._parsed(response)  # no partial may do: roots that are no object have none

    async def astream(
        self, keywords: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        """The twin of :meth:`stream`."""
        response: ChatResponse | None = None
        partial = None
        messages = self._messages(arguments)
        with self._told_of_room():
            responses = await self._llm.astream_chat(messages, **self._options(keywords))
            async for response in responses:
                partial = self._partial(response, partial)
                if partial is not None:
                    yield partial
        if response is not None:
            yield self._parsed(response)  # no partial may do: roots that are no object have none

    @contextmanager
    def _told_of_room(self) -> Iterator[None]:
        """Some synthesizers fill their prompts up without a thought for the schema."""
        try:
            yield
        except ContextOverflow as error:
            name = self._output_cls.__name__
            raise ContextOverflow(
                f"{error}; where LlamaIndex fills up prompts, llm.configure_settings({name}) "
                f"leaves room for the schema of {name}"
            ) from error

    def _messages(self, arguments: Mapping[str, Any]) -> Sequence[ChatMessage]:
        messages = self._prompt.format_messages(llm=self._llm, **arguments)
        return self._llm._extend_messages(messages)  # the system prompt, as core's programs do

    def _options(self, keywords: Mapping[str, Any]) -> dict[str, Any]:
        for name in ("response_format", "tools", "tool_choice"):
            if keywords.get(name) is not None:
                raise InvalidRequest(
                    f"{name}= has no place where the answer is a {self._output_cls.__name__}; "
                    f"leave it out"
                )
        return {**keywords, "response_format": self._output_cls}

    def _partial(self, response: ChatResponse, before: Any) -> Any:
        known = None if before is None else [before]
        try:
            return process_streaming_objects(
                response, self._output_cls, cur_objects=known, flexible_mode=True, llm=self._llm
            )
        except Exception:  # a validator of the class that trips over what is not written yet
            return before

    def _parsed(self, response: ChatResponse) -> BaseModel:
        """Raises ``UnusableAnswer``, which LlamaIndex does not swallow as it would a ValueError."""
        text, raw = response.message.content or "", response.raw or {}
        try:
            return self._output_cls.model_validate_json(text)
        except ValidationError as error:
            raise UnusableAnswer(
                f"the answer is no {self._output_cls.__name__} ({error.errors()[0]['msg']}), it "
                f"ended by {raw.get('finish_reason')!r}: {text[:80]!r}; raise max_tokens, or "
                f"loosen what the class checks beyond its schema"
            ) from error
