"""Servers that fail, that lie, and that are no up-scaled model at all."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eft_integrations import EFTError, InvalidRequest, Overloaded, ServerError
from eft_integrations.langchain import EFTLLM, ChatEFT
from eft_integrations.llama_index import EFTLLM as IndexLLM  # noqa: N811 — two of one name
from eft_integrations.remote import client
from tests.remote.scripted import DONE, END, HI, NAME, Script, part, scripted, stream
from tests.served import MODEL, Endpoint

ASK = "Hello"
SECRET = "sk-never-shown"
NOWHERE = "http://127.0.0.1:9/v1"  # the port of discard; nobody listens


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    for name in ("EFT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with scripted(body=stream(HI, END, DONE)) as found:
        yield found


def model_at(script: Script, **fields: Any) -> ChatEFT:
    return ChatEFT(**{"base_url": script.url, "max_retries": 0, "max_tokens": 5, **fields})


def answered(model: Any, *, is_async: bool) -> Any:
    return asyncio.run(model.ainvoke(ASK)) if is_async else model.invoke(ASK)


# What is no answer.


def call(**told: Any) -> dict[str, Any]:
    return part({"tool_calls": [told]})


ODD: dict[str, bytes] = {
    "no JSON": stream(HI, b"{nope", END, DONE),
    "no UTF-8": stream(HI, b'{"a": "\xff"}', END, DONE),
    "a list": stream(b"[1]", END, DONE),
    "no choices": stream({"id": "x"}, END, DONE),
    "a choice too many": stream({**HI, "choices": [{"index": 7, "delta": {}}]}, END, DONE),
    "no delta": stream(part(None), END, DONE),
    "a number for a text": stream(part({"content": 5}), END, DONE),
    "a call of nothing": stream(call(index=0, id="a"), END, DONE),
    "a call without a name": stream(call(index=0, function={"arguments": "{}"}), END, DONE),
    "half of the counts": stream({**HI, "usage": {"completion_tokens": 1}}, END, DONE),
    "numbers without likeliest": stream(
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [{"token": "x"}]}}]}
    ),
}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("odd", ODD)
def test_an_answer_of_another_form_is_an_error(script: Script, odd: str, is_async: bool) -> None:
    script.body = ODD[odd]
    with pytest.raises(ServerError, match="in another form than OpenAI's protocol has") as caught:
        answered(model_at(script), is_async=is_async)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (stream(HI), ServerError, "broke off its answer"),
        (b"", ServerError, "broke off its answer"),
        (b"<html>Welcome</html>", ServerError, "broke off its answer"),
        (stream(HI, {"error": {"message": "died", "code": 500}}), ServerError, "failed: died"),
        (stream(HI, {"error": "boom"}), ServerError, "failed"),
        (stream({"error": {"message": "odd", "code": 400}}), InvalidRequest, "odd"),
        (stream({**END, "usage": None}, DONE), ServerError, "tells no usage"),
        (stream(part({}, "other"), DONE), ServerError, "unknown reason: 'other'"),
    ],
)
def test_an_answer_that_ends_badly_is_an_error(
    script: Script, body: bytes, error: type[EFTError], says: str, is_async: bool
) -> None:
    script.body = body
    with pytest.raises(error, match=says):
        answered(model_at(script), is_async=is_async)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "body", [stream(HI, END), stream({**HI, "choices": []}, HI, END, DONE), stream(HI, END, DONE)]
)
def test_what_may_be_left_out_is_not_missed(script: Script, body: bytes, is_async: bool) -> None:
    script.body = body
    assert answered(model_at(script), is_async=is_async).content == "Hi"


@pytest.mark.parametrize("models", [b"<html>", b"{}", b"[1]", b'{"data": [{}]}', b"\xff"])
def test_a_server_that_names_no_model_is_an_error(script: Script, models: bytes) -> None:
    script.models = models
    with pytest.raises(ServerError):
        model_at(script).invoke(ASK)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"tokens": null}'])
def test_a_server_that_counts_nothing_is_an_error(script: Script, body: bytes) -> None:
    script.body = body
    with pytest.raises(ServerError, match="in another form"):
        model_at(script).get_num_tokens(ASK)


def test_what_other_servers_say_is_passed_on(script: Script) -> None:
    script.status, script.body = 404, b'{"detail": "no such route"}'
    with pytest.raises(ServerError, match="no such route; correct model="):
        model_at(script).invoke(ASK)


# A server that is gone, silent, or another.

_DYING = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    head = client.recv(65536)
    client.sendall(
        b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n"
        b"Transfer-Encoding: chunked\\r\\n\\r\\n"
    )
    line = sys.argv[1].encode()
    client.sendall(b"%X\\r\\n%s\\r\\n" % (len(line), line))
"""


@pytest.mark.parametrize("is_async", [False, True])
def test_a_server_that_is_killed_breaks_off_its_answer(is_async: bool) -> None:
    command = [sys.executable, "-c", _DYING, stream(HI).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        model = ChatEFT(base_url=url, model=NAME, max_retries=0)
        read = _aread if is_async else _read
        with pytest.raises(ServerError, match=r"broke off its answer: .*; see its log, and ask"):
            read(model, lambda: server.send_signal(signal.SIGKILL))
    with pytest.raises(ServerError, match="cannot be reached"):
        answered(model, is_async=is_async)


def _read(model: ChatEFT, then: Any) -> None:
    for _ in model.stream(ASK):
        then()


def _aread(model: ChatEFT, then: Any) -> None:
    async def read() -> None:
        async for _ in model.astream(ASK):
            then()

    asyncio.run(read())


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("fields", [{}, {"model": NAME}, {"model": NAME, "alpha": 1.0}], ids=str)
def test_a_deadline_holds_for_all_that_is_asked(
    script: Script, fields: dict[str, Any], is_async: bool
) -> None:
    script.silence = threading.Event()
    with pytest.raises(ServerError, match="does not answer in time; raise timeout="):
        answered(model_at(script, timeout=0.05, **fields), is_async=is_async)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_deadline_holds_for_the_wait_before_a_request(
    script: Script, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    monkeypatch.setattr(client, "MAX_AT_ONCE", 0)
    with pytest.raises(Overloaded, match="none came in time; raise timeout=, or ask less at once"):
        answered(model_at(script, model=NAME, timeout=0.05), is_async=is_async)


def test_a_deadline_holds_for_counts_and_context(script: Script) -> None:
    script.silence = threading.Event()
    with pytest.raises(ServerError, match="in time"):
        model_at(script, timeout=0.05).get_num_tokens(ASK)
    with pytest.raises(ServerError, match="in time"):
        _ = IndexLLM(base_url=script.url, max_retries=0, timeout=0.05).metadata


def test_a_server_that_comes_back_with_another_model_is_asked_for_it(script: Script) -> None:
    model = model_at(script)
    assert model.invoke(ASK).response_metadata["model_name"] == NAME
    script.status, script.models = 404, b'{"data": [{"id": "new"}]}'
    with pytest.raises(ServerError):
        model.invoke(ASK)
    script.status = 200
    assert model.invoke(ASK).response_metadata["model_name"] == "new"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", [ChatEFT, EFTLLM])
@pytest.mark.parametrize("asked", [{"alpha": 0.5}, {"beta": 1.0}, {"filter_top_p": 0.9}], ids=str)
def test_a_server_without_the_plugin_is_given_no_coefficients(
    endpoint: Endpoint, kind: Any, asked: dict[str, Any], is_async: bool
) -> None:
    endpoint.has_plugin = False
    model = kind(base_url=endpoint.url, max_tokens=2)
    with pytest.raises(InvalidRequest, match=f"passes over coefficients for '{MODEL}'.*serve-vllm"):
        answered(model.bind(**asked), is_async=is_async)
    assert answered(model, is_async=is_async)


def test_whether_a_server_reads_coefficients_is_asked_once(script: Script) -> None:
    script.status, script.body = 400, b'{"error": {"message": "as the plugin says it"}}'
    model = model_at(script, alpha=0.5)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="as the plugin says it"):
            model.invoke(ASK)
    assert [sent["vllm_xargs"]["eft_alpha"] for sent in script.sent] == ["?", 0.5, 0.5]


# Secrets.


@pytest.mark.parametrize("key", [f"{SECRET}\n", f" {SECRET}", f"{SECRET}é", f"a\n{SECRET}"])
@pytest.mark.parametrize("is_from_environment", [False, True])
def test_a_key_that_no_header_carries_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, key: str, is_from_environment: bool
) -> None:
    monkeypatch.setenv("EFT_API_KEY", key if is_from_environment else "")
    with pytest.raises(InvalidRequest, match=r"api_key .*must be printable ASCII") as caught:
        ChatEFT(base_url=NOWHERE, api_key=None if is_from_environment else key)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        f"http://me:{SECRET}@host/v1",
        f"http://me:{SECRET}@host:port/v1",
        f"http://host/v1?key={SECRET}",
        f"http://host/v1#{SECRET}",
    ],
)
def test_an_address_holds_no_secrets(base_url: str) -> None:
    with pytest.raises(InvalidRequest, match="since it is shown; give api_key=") as caught:
        ChatEFT(base_url=base_url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("base_url", ["http://host:port/v1", "http://[::1/v1", " http://h/v1"])
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(InvalidRequest, match="base_url must be such as"):
        ChatEFT(base_url=base_url, api_key=SECRET)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_key_that_a_server_repeats_is_not_shown(
    script: Script, status: int, is_async: bool
) -> None:
    script.status = status
    script.body = json.dumps({"error": {"message": f"bad key {SECRET}"}}).encode()
    with pytest.raises(EFTError, match=r"bad key \(the key\)") as caught:
        answered(model_at(script, api_key=SECRET), is_async=is_async)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# What cannot be sent.


@pytest.mark.parametrize(
    "keywords",
    [
        {"json_schema": {"default": object()}},
        {"response_format": {"title": "A", "properties": {}, "default": object()}},
        {"stop": ["\ud800"]},
        {"tools": [{"name": "f", "parameters": {"type": "string"}}]},
    ],
    ids=lambda keywords: next(iter(keywords)),
)
def test_what_is_no_json_is_refused(script: Script, keywords: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        model_at(script).invoke(ASK, **keywords)
    assert not script.sent


def test_half_a_character_is_refused(script: Script) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot be sent: .*surrogates"):
        model_at(script).invoke("a\ud800b")
    with pytest.raises(InvalidRequest, match=r"cannot be sent: .*surrogates"):
        model_at(script).get_num_tokens("a\ud800b")


@pytest.mark.parametrize("headers", [["x"], {5: "x"}, {"a": "b\nc"}, {"a": "€"}, {"a\r": "b"}])
def test_headers_that_are_none_are_refused(script: Script, headers: Any) -> None:
    llm = IndexLLM(base_url=script.url)
    with pytest.raises(InvalidRequest, match="extra_headers"):
        llm.complete(ASK, extra_headers=headers)


def test_an_answer_is_held_to_what_its_schema_names(script: Script) -> None:
    schema = {"title": "A", "type": "object", "properties": {"x": {"type": "boolean"}}}
    model_at(script).invoke(ASK, response_format=schema)
    (sent,) = script.sent
    assert sent["response_format"]["json_schema"]["schema"]["additionalProperties"] is False


# Processes, threads and loops.


def test_a_forked_process_has_connections_of_its_own(script: Script) -> None:
    code = (
        "import asyncio, os, sys\n"
        "from eft_integrations.langchain import ChatEFT\n"
        f"model = ChatEFT(base_url={script.url!r}, max_tokens=5)\n"
        "first = model.invoke('x').content\n"
        "asyncio.run(model.ainvoke('x'))\n"
        "clients = model.engine.clients\n"
        "clients.asking.acquire(), clients._lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    told = [model.invoke('x').content, asyncio.run(model.ainvoke('x')).content]\n"
        "    os._exit(told != ['Hi', 'Hi'])\n"
        "clients.asking.release(), clients._lock.release()\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert model.invoke('x').content == first == 'Hi'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_loops_that_close_no_generators_are_forgotten(script: Script) -> None:
    """In another process, since whoever collects their connections is warned."""
    code = (
        "import asyncio\n"
        "from eft_integrations.langchain import ChatEFT\n"
        "from llama_index.core.async_utils import asyncio_run\n"
        f"model = ChatEFT(base_url={script.url!r}, max_tokens=5)\n"
        "async def ask():\n"
        "    for _ in range(4):\n"
        "        asyncio_run(model.ainvoke('x'))\n"
        "    await model.ainvoke('x')\n"
        "    assert len(model.engine.clients._loops) == 1\n"
        "asyncio.run(ask())\n"
        "assert not model.engine.clients._loops\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_and_loops_ask_at_once(script: Script) -> None:
    model = model_at(script)
    with ThreadPoolExecutor(8) as pool:
        told = pool.map(lambda row: answered(model, is_async=bool(row % 2)).content, range(64))
    assert set(told) == {"Hi"}
    assert len(model.engine.clients._loops) == 0
