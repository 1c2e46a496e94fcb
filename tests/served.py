"""A server of the tests: OpenAI's protocol as vLLM speaks it, over an engine in this process."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eft_integrations import EFTError, Engine, UnknownOption
from eft_integrations.chat import ChatRequest, prepare
from eft_integrations.chat.conversation import formatted
from eft_integrations.chat.events import (
    CallDelta,
    CallStart,
    ChatEvent,
    Finish,
    Problem,
    ReasoningDelta,
    TextDelta,
    TokenDetail,
)
from eft_integrations.chat.local import EngineReady
from eft_integrations.chat.schema import in_envelope
from eft_integrations.errors import ContextOverflow
from eft_integrations.mixture import Mixture
from eft_integrations.wire import PROBE, from_wire

MODEL = "up-scaled"
_TAKEN = (
    *("n", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty"),
    *("frequency_penalty", "seed", "stop", "stop_token_ids"),
)
Sent = Mapping[str, Any]


@dataclass
class Endpoint:
    """Where it is, what it was sent, and what it is told to do wrong."""

    engine: Engine
    url: str = ""
    key: str | None = None  # the only one that it lets in
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)  # status of each answer to come
    breaks_after: int | None = None  # chunks; then the connection is closed
    silence: threading.Event | None = None  # what it waits for before its second chunk
    reads_thoughts: bool = False
    has_plugin: bool = True  # without it, coefficients are passed over

    def forget(self) -> None:
        """As it was when it began."""
        self.key = self.breaks_after = self.silence = None
        self.reads_thoughts, self.has_plugin = False, True
        for kept in (self.bodies, self.headers, self.failures):
            kept.clear()


@contextmanager
def serving(engine: Engine) -> Iterator[Endpoint]:
    """On loopback, at a port that is free."""
    endpoint = Endpoint(engine)
    handler = type("Handler", (_Handler,), {"endpoint": endpoint})
    with _Server(("127.0.0.1", 0), handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield endpoint
        server.shutdown()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may leave at any time; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def do_GET(self) -> None:
        length = self.endpoint.engine.context_len
        self._reply(200, {"object": "list", "data": [{"id": MODEL, "max_model_len": length}]})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.endpoint.has_plugin:
            sent.pop("vllm_xargs", None)
        if sent.get("vllm_xargs") != PROBE:
            self.endpoint.bodies.append({"path": self.path, **sent})
            self.endpoint.headers.append(dict(self.headers))
        status = self._refusal(sent)
        if status is not None:
            return self._reply(status, {"error": {"message": f"no: {status}", "code": status}})
        if self.path == "/tokenize":
            return self._reply(200, {"tokens": _tokens(self.endpoint.engine, sent)})
        try:
            chunks = _chunks(self.endpoint, sent)
            first = next(chunks)
        except EFTError as error:
            param = "input_tokens" if isinstance(error, ContextOverflow) else None
            said = {"message": str(error), "type": "BadRequestError", "param": param, "code": 400}
            return self._reply(400, {"error": said})
        return self._stream(first, chunks)

    def _refusal(self, sent: Sent) -> int | None:
        key = self.endpoint.key
        if key is not None and self.headers["Authorization"] != f"Bearer {key}":
            return 401
        if sent["model"] != MODEL:
            return 404
        return self.endpoint.failures.pop(0) if self.endpoint.failures else None

    def _reply(self, status: int, body: Sent) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(text)

    def _stream(self, first: Sent, rest: Iterator[Sent]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._line(json.dumps(first))
        try:
            for number, chunk in enumerate(rest, start=1):
                if number == self.endpoint.breaks_after:
                    self.close_connection = True
                    return
                if self.endpoint.silence is not None:
                    self.endpoint.silence.wait()
                self._line(json.dumps(chunk))
            self._line("[DONE]")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # nobody listens any more
            self.close_connection = True
        finally:
            rest.close()  # type: ignore[attr-defined] # a generator

    def _line(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(b"%X\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _tokens(engine: Engine, sent: Sent) -> list[int]:
    if "prompt" in sent:
        return list(engine.encoder.encode(sent["prompt"], special=sent["add_special_tokens"]))
    asked = ChatRequest(messages=_turns(sent), tools=_tools(sent))
    return list(prepare(engine, asked).prompts["base"])


def _chunks(endpoint: Endpoint, sent: Sent) -> Iterator[dict[str, Any]]:
    """As they are sent; the first is made before anything is."""
    ready = _ready(endpoint, sent)
    usage: dict[str, Any] = {}
    num_written = 0
    if sent.get("n", 1) > 1:
        answers: Any = [(i, answer) for i, answer in enumerate(ready.answers())]
        for index, answer in answers:
            usage = _usage(answer)
            num_written += usage["completion_tokens"]
            yield {**_chunk([_choice(sent, index, answer)]), "usage": usage}
    else:
        with ready.stream() as told:
            for num_events, events in enumerate(told, start=1):
                usage = _usage(events) or {"prompt_tokens": 0, "completion_tokens": num_events}
                num_written = usage["completion_tokens"]
                yield {**_chunk([_choice(sent, 0, events)]), "usage": {"total_tokens": 0, **usage}}
    yield {**_chunk([]), "usage": {**usage, "completion_tokens": num_written}}


def _ready(endpoint: Endpoint, sent: Sent) -> EngineReady:
    engine = endpoint.engine
    mixture = from_wire(sent.get("vllm_xargs")) or Mixture()
    options: dict[str, Any] = {name: sent[name] for name in _TAKEN if name in sent}
    options["top_k"] = options.get("top_k") or None
    options["max_tokens"] = sent.get("max_completion_tokens", sent.get("max_tokens"))
    bias = sent.get("logit_bias", {}).items()
    options["logit_bias"] = {int(token_id): value for token_id, value in bias}
    options |= {"mixture": mixture, "speculation": "off", **_numbers(sent)}
    if "prompt" in sent:
        prepared = formatted(engine, sent["prompt"])
    else:
        # as vLLM does it: the form holds, and is not told
        bare = ChatRequest(
            messages=_turns(sent),
            tools=_tools(sent),
            tool_choice=_named(sent),
            reasoning=endpoint.reads_thoughts,
        )
        asked = replace(
            bare,
            parallel_tool_calls=sent.get("parallel_tool_calls", True),
            response_format=in_envelope(sent.get("response_format", {"type": "text"})),
        )
        prepared = replace(prepare(engine, asked), prompts=prepare(engine, bare).prompts)
    form = {} if prepared.grammar is None else {"grammar": prepared.grammar}
    options |= {**form, **_constraint(sent)}
    numbers = "logprobs" in options
    return EngineReady(
        engine=engine, prepared=prepared, options=options, shows_numbers=numbers, model_name=MODEL
    )


def _numbers(sent: Sent) -> dict[str, Any]:
    if sent.get("logprobs") is None:
        return {}
    likeliest = sent["logprobs"] if "prompt" in sent else sent["top_logprobs"]
    return {"logprobs": True, "top_logprobs": likeliest}


def _constraint(sent: Sent) -> dict[str, Any]:
    found = sent.get("structured_outputs", {})
    closes = {"close_within_budget": False} if found else {}
    return {**{"json_schema" if k == "json" else k: v for k, v in found.items()}, **closes}


def _turns(sent: Sent) -> list[dict[str, Any]]:
    return [
        {**turn, "tool_calls": [_with_object(call) for call in turn["tool_calls"]]}
        if turn.get("tool_calls")
        else turn
        for turn in sent["messages"]
    ]


def _with_object(call: Sent) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}


def _tools(sent: Sent) -> list[dict[str, Any]]:
    functions = [tool["function"] for tool in sent.get("tools", [])]
    if not all(function["strict"] for function in functions):
        raise UnknownOption("arguments would be held to no schema")
    return [
        {"type": "function", "function": {k: v for k, v in function.items() if k != "strict"}}
        for function in functions
    ]


def _named(sent: Sent) -> str:
    choice = sent.get("tool_choice", "auto")
    name: str = choice["function"]["name"] if isinstance(choice, Mapping) else choice
    return "any" if name == "required" else name


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "x", "object": "chunk", "created": 0, "model": MODEL, "choices": choices}


def _usage(events: Sequence[ChatEvent]) -> dict[str, Any]:
    ends = [event.usage for event in events if isinstance(event, Finish)]
    return {
        name: value
        for end in ends
        for name, value in {
            **end.counts,
            "prompt_tokens_details": {"cached_tokens": end.cached_tokens},
        }.items()
    }


def _choice(sent: Sent, index: int, events: Sequence[ChatEvent]) -> dict[str, Any]:
    is_broken = any(isinstance(event, Problem) for event in events)
    text = "".join(e.text for e in events if isinstance(e, TextDelta) and not is_broken)
    ends = [event.reason for event in events if isinstance(event, Finish)]
    tokens = [event for event in events if isinstance(event, TokenDetail)]
    choice = {"index": index, "finish_reason": ends[0] if ends else None}
    if "prompt" in sent:
        return {**choice, "text": text, "logprobs": _columns(tokens) if tokens else None}
    thought = "".join(e.text for e in events if isinstance(e, ReasoningDelta))
    delta = {"content": text, "reasoning": thought, "tool_calls": _calls(events)}
    rows = {"content": [_row(token) for token in tokens]}
    return {**choice, "delta": delta, "logprobs": rows if tokens else None}


def _calls(events: Sequence[ChatEvent]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, CallStart):
            function = {"name": event.name, "arguments": ""}
            told.append({"index": event.index, "id": event.call_id, "function": function})
        elif isinstance(event, CallDelta):
            told.append({"index": event.index, "function": {"arguments": event.arguments}})
    return told


def _row(token: TokenDetail) -> dict[str, Any]:
    likeliest = [{"token": t.text, "logprob": t.logprob} for t in token.top_logprobs]
    return {
        "token": token.token.text,
        "logprob": token.token.logprob,
        "top_logprobs": likeliest,
    }


def _columns(tokens: Sequence[TokenDetail]) -> dict[str, Any]:
    return {
        "tokens": [token.token.text for token in tokens],
        "token_logprobs": [token.token.logprob for token in tokens],
        "top_logprobs": [{t.text: t.logprob for t in token.top_logprobs} for token in tokens],
    }
