"""How ``eft serve-vllm`` ends, whatever ends it: no client waits, and no process is left."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.vllm.test_vllm_server import FLAGS, started

ENDLESS = {"prompt": "Hello", "max_tokens": 4000, "ignore_eos": True, "stream": True}


@contextmanager
def streaming(url: str) -> Iterator[http.client.HTTPResponse]:
    """An answer that has begun."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)) as line:
        body = json.dumps({"model": "eft", **ENDLESS})
        line.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        with line.getresponse() as answer:
            assert answer.readline().startswith(b"data: ")
            yield answer


def engine_of(server: psutil.Process) -> psutil.Process:
    (found,) = [each for each in server.children() if "EngineCore" in " ".join(each.cmdline())]
    return found


def kill_the_engine(server: psutil.Process) -> None:
    engine_of(server).kill()


@pytest.mark.parametrize(
    "end",
    [kill_the_engine, psutil.Process.terminate, lambda one: one.send_signal(signal.SIGINT)],
    ids=["the engine is killed", "SIGTERM", "SIGINT"],
)
def test_it_ends_in_mid_stream(tmp_path: Path, end: Callable[[psutil.Process], None]) -> None:
    with started(tmp_path / "log", *FLAGS) as (server, url):
        process = psutil.Process(server.pid)
        family = process.children(recursive=True)
        with streaming(url) as answer:
            end(process)
            with suppress(OSError, http.client.HTTPException):
                answer.read()
        assert server.wait(60) == 0  # vLLM's own code, also where its engine died
        _, left = psutil.wait_procs(family, 20)
        assert not left
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", int(url.rpartition(":")[2])))


def test_a_start_that_is_terminated_leaves_no_folder(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "eft"), "serve-vllm", *FLAGS]
    starting = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)})
    while not list(tmp_path.glob("eft-*/reference")):
        assert starting.poll() is None
        time.sleep(0.05)
    starting.terminate()
    assert starting.wait(60) == 130
    assert not list(tmp_path.glob("eft-*"))
