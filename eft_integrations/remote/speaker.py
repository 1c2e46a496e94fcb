"""A server as a speaker: its own template, its own grammar, and our coefficients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from eft_integrations import checks
from eft_integrations.chat.conversation import ChatRequest
from eft_integrations.chat.speaker import Answer, Delivery, Options
from eft_integrations.errors import InvalidRequest, ServerError
from eft_integrations.options import parse, parse_rows
from eft_integrations.remote.body import (
    Body,
    chat_body,
    refuse_unserved,
    text_body,
    tools_of,
    turns_of,
)
from eft_integrations.remote.client import MAX_AT_ONCE
from eft_integrations.remote.server import SharedServer
from eft_integrations.remote.telling import ServerReady, ServerTold


class ServerSpeaker:
    """``model``: by default the first that the server has."""

    def __init__(self, server: SharedServer, model: str | None) -> None:
        self._server = server
        self._model = model

    @property
    def context_len(self) -> int:
        """As the server tells it."""
        name = self._named(None)
        found = self._server.models().get(name)
        if found is None:
            raise ServerError(
                f"the server at {self._server.base_url} does not tell the context of {name!r}; "
                f"give model= one of {', '.join(self._server.models())}"
            )
        return found

    def chat(self, request: ChatRequest, options: Options, delivery: Delivery) -> ServerReady:
        """By /v1/chat/completions."""
        return self._ready(chat_body(request, options), delivery)

    def text(self, prompt: str, options: Options, delivery: Delivery) -> ServerReady:
        """By /v1/completions."""
        refuse_unserved(options)
        return self._ready(text_body(prompt, parse(options)), delivery)

    def texts(
        self, prompts: Sequence[str], options: Options, delivery: Delivery
    ) -> list[list[Answer]]:
        """One request each, many at once; where one fails, the others are left."""
        told = [ServerTold(ready) for ready in self._rows(prompts, options, delivery)]
        with ThreadPoolExecutor(min(len(told), MAX_AT_ONCE) or 1) as pool:
            try:
                return list(pool.map(ServerTold.answers, told))
            finally:
                for each in told:
                    each.close()

    async def atexts(
        self, prompts: Sequence[str], options: Options, delivery: Delivery
    ) -> list[list[Answer]]:
        """The twin of :meth:`texts`."""
        rows = await asyncio.to_thread(self._rows, prompts, options, delivery)
        tasks = [asyncio.create_task(ready.aanswers()) for ready in rows]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def encode(self, text: str) -> list[int]:
        """As the server's tokenizer reads it, without special tokens."""
        asked = {"prompt": text, "add_special_tokens": False}
        return self._server.tokenize({"model": self._named(None), **asked})

    def num_tokens(self, request: ChatRequest) -> int:
        """Of the prompt that the server's template makes."""
        tools = {"tools": tools_of(request)} if request.tools else {}
        asked = {"messages": turns_of(request), **tools}
        return len(self._server.tokenize({"model": self._named(None), **asked}))

    def _rows(
        self, prompts: Sequence[str], options: Options, delivery: Delivery
    ) -> list[ServerReady]:
        refuse_unserved(options)
        rows = zip(prompts, parse_rows(options, len(prompts)), strict=True)
        return [self._ready(text_body(prompt, checked), delivery) for prompt, checked in rows]

    def _ready(self, body: Body, delivery: Delivery) -> ServerReady:
        if delivery.api_key is not None:
            raise InvalidRequest(
                "api_key= of a call would be seen in traces; give it to the model, or set "
                "EFT_API_KEY"
            )
        if delivery.max_retries is not None:
            checks.integer("max_retries", delivery.max_retries, low=0)
        return ServerReady(
            server=self._server,
            model_name=self._named(delivery.model),
            body=replace(body, headers=_checked(delivery.headers)),
            max_retries=delivery.max_retries,
        )

    def _named(self, model: str | None) -> str:
        return model or self._model or next(iter(self._server.models()))


def _checked(headers: Mapping[str, Any] | None) -> Mapping[str, str]:
    if not isinstance(headers or {}, Mapping):
        raise InvalidRequest(f"extra_headers must map names to texts, got {headers!r}")
    return {name: str(value) for name, value in (headers or {}).items()}
