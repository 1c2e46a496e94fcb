"""The middleware of the HTTP server, without vLLM."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from eft_integrations import Mixture
from eft_integrations.vllm import doorkeeper
from eft_integrations.vllm.composite import Speakers
from tests.vllm.asking import ONE

CHAT = "/v1/chat/completions"
NAME = f"Doorkeeper_{Speakers(roles=ONE, default=Mixture(alpha=1.0)).as_name()}"
KEEPER: type[doorkeeper.Doorkeeper] = getattr(doorkeeper, NAME)
HALF = {"eft_alpha": 0.5}


def refusal(told: object, path: str = CHAT) -> str | None:
    return KEEPER.refusal(path, json.dumps(told).encode())


@pytest.mark.parametrize(
    "told",
    [
        {"messages": [{"content": "What is eft_alpha?"}]},
        {"vllm_xargs": {**HALF, "session_id": "x"}, "stream": True},
        {"vllm_xargs": {"session_id": "x"}, "use_beam_search": True},
        {"use_beam_search": True, "eftless": 1},
        {"vllm_xargs": ["eft_alpha"]},
        ["eft_alpha"],
    ],
    ids=str,
)
def test_what_can_be_obeyed_or_is_not_ours_passes(told: object) -> None:
    assert refusal(told) is None


def test_what_is_no_json_is_left_to_vllm() -> None:
    assert KEEPER.refusal(CHAT, b'{"eft_alpha": ') is None
    assert KEEPER.refusal(CHAT, b'"eft_"' + b"[" * 100_000) is None


@pytest.mark.parametrize(
    ("told", "path", "says"),
    [
        ({"vllm_xargs": {"eft_alpha": "much"}}, CHAT, "eft_alpha must be a number"),
        ({"vllm_xargs": {"eft_alpha": True}}, CHAT, "alpha must be a finite number, got True"),
        ({"vllm_xargs": {"eft_alpha": float("nan")}}, CHAT, "alpha must be a finite number"),
        ({"vllm_xargs": HALF, "use_beam_search": True}, CHAT, "use_beam_search cannot obey"),
        ({"vllm_xargs": HALF}, "/generative_scoring", "/generative_scoring cannot obey eft_alpha"),
        (HALF, CHAT, "eft_alpha must be inside vllm_xargs"),
    ],
)
def test_what_would_not_be_obeyed_is_refused(told: Any, path: str, says: str) -> None:
    assert says in str(refusal(told, path))


def test_the_answer_is_a_400_and_other_bodies_arrive_whole() -> None:
    app = FastAPI()
    app.add_middleware(KEEPER)

    @app.post(CHAT)
    async def echo(request: Request) -> int:
        return len(await request.body())

    client = TestClient(app)
    long = {"prompt": "eft_" * 100_000, "vllm_xargs": HALF}
    assert client.post(CHAT, content=json.dumps(long)).json() == len(json.dumps(long))
    answer = client.post(CHAT, json={"vllm_xargs": {"eft_alpha": "much"}})
    assert answer.status_code == 400
    assert "eft_alpha must be a number" in answer.json()["detail"]
    pieces = iter([b'{"vllm_xargs": {"eft_', b'alpha": "much"}}'])
    assert client.post(CHAT, content=pieces).status_code == 400


def test_answers_that_nobody_writes_end_with_the_server() -> None:
    server = SimpleNamespace(should_exit=False)
    app = FastAPI()
    app.state.server = server
    app.add_middleware(KEEPER)
    finished = []

    @app.post(CHAT)
    async def endless() -> None:
        server.should_exit = True
        await asyncio.Event().wait()
        finished.append(True)

    with TestClient(app) as client, pytest.raises(AssertionError):  # no answer was begun
        client.post(CHAT)
    assert not finished


def test_only_its_own_names_are_classes() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Doorman_00'"):
        getattr(doorkeeper, "Doorman_00")  # noqa: B009 — the hook behind it
