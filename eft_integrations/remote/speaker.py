"""A server as a speaker: its own template, its own grammar, and our coefficients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
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
from eft_integrations.remote.client import MAX_AT_ONCE, Patience
from eft_integrations.remote.server import SharedServer
from eft_integrations.remote.telling import ServerReady, ServerTold


class ServerSpeaker:
    """``model``: by default the first that the server has. ``patience`` where a call has none."""

    def __init__(self, server: SharedServer, model: str | None, patience: Patience) -> None:
        self._server = server
        self._model = model
        self._patience = patience

    @property
    def context_len(self) -> int:
        """As the server tells it."""
        models = self._server.models(self._patience)
        name = self._named(None, self._patience)
        found = models.get(name)
        if found is None:
            raise ServerError(
                f"the server at {self._server.base_url} does not tell the context of {name!r}; "
                f"give model= one of {', '.join(models)}"
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
                rows = [pool.submit(each.answers) for each in told]
                wait(rows, return_when=FIRST_EXCEPTION)
                failed = [row for row in rows if row.done() and row.exception()]
                return [row.result() for row in failed or rows]
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
        return self._tokens({"prompt": text, "add_special_tokens": False})

    def num_tokens(self, request: ChatRequest) -> int:
        """Of the prompt that the server's template makes."""
        tools = {"tools": tools_of(request)} if request.tools else {}
        return len(self._tokens({"messages": turns_of(request), **tools}))

    def _tokens(self, asked: Mapping[str, Any]) -> list[int]:
        model = self._named(None, self._patience)
        return self._server.tokenize({"model": model, **asked}, self._patience)

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
        patience = Patience(timeout=body.timeout, max_retries=delivery.max_retries)
        body = replace(body, headers=_checked(delivery.headers))
        name = self._named(delivery.model, patience)
        if "vllm_xargs" in body.rest:
            self._server.require_plugin(name, patience, is_chat=body.is_chat)
        return ServerReady(server=self._server, model_name=name, body=body, patience=patience)

    def _named(self, model: str | None, patience: Patience) -> str:
        return model or self._model or next(iter(self._server.models(patience)))


def _checked(headers: Mapping[str, Any] | None) -> Mapping[str, str]:
    if not isinstance(headers or {}, Mapping) or not all(map(_is_text, headers or ())):
        raise InvalidRequest(f"extra_headers must map names to texts, got {headers!r}")
    return {
        checks.header("a name in extra_headers", name): checks.header(
            f"extra_headers[{name!r}]", str(value)
        )
        for name, value in (headers or {}).items()
    }


def _is_text(name: object) -> bool:
    return isinstance(name, str)
