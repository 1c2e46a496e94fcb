"""The example's application in process: what is sent, and what hanging up does."""

from __future__ import annotations

import asyncio
import contextlib
import runpy
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import ClientDisconnect

from eft_integrations import Engine
from eft_integrations.langchain import ChatEFT
from tests.langchain.test_batching import idle
from tests.test_docs import ROOT

QUERY = {"question": "Hello", "alpha": "0.5"}


def application(engine: Engine, max_tokens: int) -> Any:
    """The application of the example, with members that never end a text."""
    example = runpy.run_path(str(ROOT / "examples" / "langchain_fastapi.py"))
    example["answer"].__globals__["model"] = ChatEFT(engine=engine, max_tokens=max_tokens)
    return example["app"]


class Client:
    """Speaks ASGI; hangs up once ``patience`` pieces of the body have come."""

    def __init__(self, patience: int | None, version: str) -> None:
        self.patience = patience
        self.body: list[str] = []
        self._is_asked = False
        self._hears_of_it = version >= "2.4"
        query = urlencode(QUERY).encode()
        asgi = {"version": "3.0", "spec_version": version}
        request = {"method": "GET", "path": "/answer", "query_string": query, "headers": []}
        self.scope = {"type": "http", "http_version": "1.1", "asgi": asgi, **request}
        self._hung_up = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self._hung_up.is_set():
            if self._hears_of_it:
                raise OSError("nobody is there")
            return  # what an older server is sent too late is dropped
        if message.get("body"):
            self.body.append(message["body"].decode())
        if len(self.body) == self.patience:
            self._hung_up.set()


async def test_an_answer_is_sent_in_pieces(engine: Engine) -> None:
    client = Client(None, "2.4")
    await application(engine, 12)(client.scope, client.receive, client.send)
    assert len(client.body) > 1
    expected = ChatEFT(engine=engine, max_tokens=12).invoke("Hello", alpha=0.5)
    assert "".join(client.body) == expected.content


@pytest.mark.parametrize("version", ["2.3", "2.4"])  # by message, by a failing send
async def test_hanging_up_ends_the_computation(engine: Engine, version: str) -> None:
    before = engine.stats().num_tokens
    client = Client(1, version)
    with contextlib.suppress(ClientDisconnect):
        await application(engine, 480)(client.scope, client.receive, client.send)
    await engine.agenerate("x", max_tokens=2)
    assert engine.stats().num_tokens - before < 480
    assert idle(engine)
