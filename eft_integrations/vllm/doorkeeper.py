"""What vLLM's HTTP server would not obey is refused before it is begun: its middleware.

vLLM asks whether coefficients are right when an answer has begun, which a stream tells with status
200. From some routes it passes ``vllm_xargs`` on, not from all; its beam search writes parameters
of its own; and fields that it does not know it passes by. When it ends, it waits for answers that
nobody writes any more: these are broken off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, ClassVar

from eft_integrations.errors import EFTError
from eft_integrations.vllm.composite import Speakers, class_named
from eft_integrations.wire import PREFIX

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Call = Callable[[Mapping[str, Any], Receive, Any], Awaitable[None]]

# The ends of the routes that pass vllm_xargs on; /invocations leads to one of the others.
_HEARING = ("/completions", "/batch", "/responses", "/messages", "/render", "/invocations")
_TICK = 0.2  # seconds


class Doorkeeper:
    """Answers HTTP 400, in vLLM's own form; with a subclass for each set of members."""

    speakers: ClassVar[Speakers]

    def __init__(self, app: Call) -> None:
        self._app = app
        self._open: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Any) -> None:
        if scope["type"] == "lifespan":
            closing = asyncio.create_task(self._close_with(scope["app"].state.server))
            await self._app(scope, receive, send)
            closing.cancel()
        elif scope["type"] == "http" and scope["method"] == "POST":
            await self._answer(scope, self._watched(scope["path"], receive), send)
        else:
            await self._app(scope, receive, send)

    async def _close_with(self, server: Any) -> None:
        """Once the engine is gone, uvicorn's ``server`` should exit, and waits for open answers."""
        while not server.should_exit:
            await asyncio.sleep(_TICK)
        await asyncio.sleep(_TICK)  # for what is written, and only to be sent
        self._is_closed = True
        for task in self._open:
            task.cancel()

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None, "uvicorn runs every answer in a task"
        self._open.add(task)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._is_closed:
                raise
            # uvicorn closes the connection of an answer that was left
        finally:
            self._open.discard(task)

    def _watched(self, path: str, receive: Receive) -> Receive:
        """``receive``, which raises where the body is complete and not to be obeyed.

        So the body is read when vLLM reads it: after it has looked at the API key.
        """
        parts: list[bytes] = []

        async def next_message() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
                reason = None if message.get("more_body") else self.refusal(path, b"".join(parts))
                if reason is not None:
                    from fastapi import HTTPException

                    raise HTTPException(400, reason)
            return message

        return next_message

    @classmethod
    def refusal(cls, path: str, body: bytes) -> str | None:
        """Why coefficients in this body cannot be obeyed; None where they can, or there are none.

        What is no JSON object is vLLM's to refuse.
        """
        if PREFIX.encode() not in body:
            return None
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(told, Mapping):
            return None
        for key in _ours(told):
            return f'{key} must be inside vllm_xargs: "vllm_xargs": {{"{key}": …}}'
        given = told.get("vllm_xargs")
        arguments = given if isinstance(given, Mapping) else {}
        for key in _ours(arguments):
            if told.get("use_beam_search"):
                return f"use_beam_search cannot obey {key}: it reads no vllm_xargs; omit one"
            if not path.endswith(_HEARING):
                return f"{path} cannot obey {key}: it reads no vllm_xargs; omit it"
            return cls._mistake(arguments)
        return None

    @classmethod
    def _mistake(cls, arguments: Mapping[str, object]) -> str | None:
        try:
            cls.speakers.terms(arguments)
        except EFTError as error:
            return str(error)
        return None


def _ours(fields: Mapping[str, object]) -> list[str]:
    return [key for key in fields if key.startswith(PREFIX)]


@cache
def __getattr__(name: str) -> type[Doorkeeper]:
    return class_named(name, Doorkeeper)
