"""A server that says what a script has, however odd: for faults that ours does not make."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "m"
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
DONE = b"[DONE]"


@dataclass
class Script:
    """What is said to each kind of request."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    models: bytes = json.dumps({"data": [{"id": NAME, "max_model_len": 9}]}).encode()
    silence: threading.Event | None = None  # what is waited for before any answer
    sent: list[Mapping[str, Any]] = field(default_factory=list)


def part(delta: Any, end: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    return {"id": "x", "choices": [choice], "usage": USAGE, **more}


def stream(*parts: Any) -> bytes:
    """As server-sent events; what is bytes already goes as it is."""
    told = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in parts]
    return b"".join(b"data: " + each + b"\n\n" for each in told)


HI = part({"content": "Hi"})
END = part({}, "stop")


@contextmanager
def scripted(**said: Any) -> Iterator[Script]:
    """On loopback, at a port that is free."""
    script = Script(**said)
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        script.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield script
        if script.silence is not None:
            script.silence.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        self._reply(200, self.script.models)

    def do_POST(self) -> None:
        self.script.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._reply(self.script.status, self.script.body)

    def _reply(self, status: int, body: bytes) -> None:
        if self.script.silence is not None:
            self.script.silence.wait()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if b"data: " in body else "text/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        """A client may leave at any time."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass
