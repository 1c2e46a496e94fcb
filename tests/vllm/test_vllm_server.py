"""``eft serve-vllm`` with the embedded family, asked by the official client."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from eft_integrations import Engine, Mixture, PerRow
from eft_integrations.chat import render
from eft_integrations.tiny import heldout_questions
from eft_integrations.wire import to_wire

ALPHAS = (0.0, 0.5, 1.0, 1.5)
ASKED = [one.question for one in heldout_questions()[:12]]
FLAGS = ["--dtype", "float32", "--enforce-eager", "--max-num-seqs", "16"]
# Otherwise vLLM lets a model that is unsure write newlines between the parts of an object.
COMPACT = {"backend": "xgrammar", "disable_any_whitespace": True}
FLAGS += ["--structured-outputs-config", json.dumps(COMPACT)]
TOOLS = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},  # so that it ends
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + 240
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health"):
            return
        time.sleep(0.5)
    raise AssertionError("the server did not come up")


@contextmanager
def started(log: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``eft serve-vllm`` that answers, and its address; whatever is left of it is killed."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(Path(sys.executable).parent / "eft"), "serve-vllm", *flags]
    where = ["--served-model-name", "eft", "--port", url.rpartition(":")[2]]
    with log.open("wb") as sink:
        server = subprocess.Popen([*command, *where], stdout=sink, stderr=subprocess.STDOUT)
    try:
        wait_until_it_answers(server, url)
        yield server, url
    finally:
        if server.poll() is None:  # its engine would outlive it
            for child in psutil.Process(server.pid).children(recursive=True):
                child.kill()
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    log = tmp_path_factory.mktemp("server") / "log"
    with started(log, "--alpha", "1", *FLAGS, *TOOLS) as (server, url):
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        server.terminate()
        assert server.wait(60) == 0


def said(client: openai.OpenAI, question: str, mixture: Mixture, **options: Any) -> Any:
    return client.chat.completions.create(
        model="eft",
        messages=[{"role": "user", "content": question}],
        **{"temperature": 0, "max_tokens": 40, **options},
        extra_body={"vllm_xargs": to_wire(mixture), "return_token_ids": True},
    )


def test_the_server_writes_what_the_local_engine_writes(
    client: openai.OpenAI, family: Engine
) -> None:
    rows = [(question, alpha) for question in ASKED for alpha in ALPHAS]
    asked = [render(family, [{"role": "user", "content": question}]) for question, _ in rows]
    alphas = PerRow([alpha for _, alpha in rows])
    local = family.generate(asked, alpha=alphas, temperature=0.0, max_tokens=40)
    with ThreadPoolExecutor(16) as pool:
        remote = list(pool.map(lambda row: said(client, row[0], Mixture(alpha=row[1])), rows))
    for row, ours, theirs in zip(rows, local, remote, strict=True):
        assert tuple(theirs.choices[0].token_ids) == ours.token_ids, row
        assert theirs.choices[0].message.content == ours.text


def test_a_server_has_a_default_of_its_own(client: openai.OpenAI) -> None:
    found = [said(client, ASKED[0], mixture) for mixture in (Mixture(), Mixture(alpha=1.0))]
    assert found[0].choices[0].token_ids == found[1].choices[0].token_ids


def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI) -> None:
    whole = said(client, ASKED[1], Mixture(alpha=0.5)).choices[0].message.content
    chunks = said(client, ASKED[1], Mixture(alpha=0.5), stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole
    assert len(pieces) > 3


def test_log_probabilities_are_those_of_the_mixture(client: openai.OpenAI, family: Engine) -> None:
    told = said(client, ASKED[0], Mixture(alpha=0.5), logprobs=True, max_tokens=8)
    asked = render(family, [{"role": "user", "content": ASKED[0]}])
    ours = family.generate(asked, alpha=0.5, temperature=0.0, max_tokens=8, logprobs=True)
    theirs = [one.logprob for one in told.choices[0].logprobs.content]
    assert theirs == pytest.approx(ours.logprobs, abs=1e-3)


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}], ids=str
)
def test_a_tool_that_must_be_called_is_called(client: openai.OpenAI, choice: Any) -> None:
    question = "What is the weather in Paris?"
    options = {"tools": [WEATHER], "tool_choice": choice}
    (call,) = said(client, question, Mixture(alpha=1.0), **options).choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments).keys() == {"city"}


def test_no_other_address_of_the_machine_is_open(client: openai.OpenAI) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", client.base_url.port)) == errno.ECONNREFUSED


def test_usage_tells_what_was_cached(client: openai.OpenAI) -> None:
    long = " ".join(ASKED)
    _, usage = (said(client, long, Mixture(alpha=1.0), max_tokens=1).usage for _ in range(2))
    assert 0 < usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens


def test_an_answer_keeps_to_its_schema(client: openai.OpenAI) -> None:
    schema = {"name": "answer", "strict": True, "schema": WEATHER["function"]["parameters"]}
    options = {"response_format": {"type": "json_schema", "json_schema": schema}}
    told = said(client, ASKED[0], Mixture(alpha=1.0), **options)
    assert json.loads(told.choices[0].message.content).keys() == {"city"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"eft_alpha": "much"}, "eft_alpha must be a number"),
        ({"eft_alpha": 1e9}, "alpha must be at least -1000 and at most 1000"),
        ({"eft_alpah": 1.0}, "did you mean 'eft_alpha'"),
        ({"eft_alpha": 1.0, "eft_beta": 1.0}, "exclude each other"),
        ({"eft_weights": '{"bass": 1}'}, "did you mean 'base'"),
        ({"eft_alpha": {"tuned": 1.0}}, "eft_alpha"),
        ({"eft_alpha": True}, "alpha must be a finite number, got True"),
        ({"eft_mask": '{"self": 1}'}, "unknown keyword of Plausibility 'self'"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_bad_coefficients_are_a_400_and_the_server_goes_on(
    client: openai.OpenAI, arguments: dict[str, Any], says: str, is_stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        client.chat.completions.create(
            model="eft",
            messages=[{"role": "user", "content": "Hello"}],
            extra_body={"vllm_xargs": arguments},
            stream=is_stream,
        )
    assert said(client, ASKED[0], Mixture(alpha=0.0), max_tokens=1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"eft_alpha": 0.5}, "eft_alpha must be inside vllm_xargs"),
        ({"use_beam_search": True, "vllm_xargs": {"eft_alpha": 0.5}}, "use_beam_search cannot"),
    ],
)
def test_what_vllm_would_drop_is_a_400(
    client: openai.OpenAI, body: dict[str, Any], says: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        client.completions.create(model="eft", prompt="Hello", extra_body=body)


def test_who_leaves_in_mid_stream_leaves_nothing_behind(client: openai.OpenAI) -> None:
    loud = to_wire(Mixture(alpha=2.0, filter_top_p=0.5))
    before = said(client, ASKED[2], Mixture(alpha=0.5)).choices[0].token_ids
    for question in ASKED[:4]:
        endless = {"vllm_xargs": loud, "ignore_eos": True}
        with client.completions.create(
            model="eft", prompt=question, max_tokens=3000, stream=True, extra_body=endless
        ) as stream:
            next(iter(stream))
    end = time.monotonic() + 60
    while num_running(client) and time.monotonic() < end:
        time.sleep(0.05)
    assert num_running(client) == 0
    assert said(client, ASKED[2], Mixture(alpha=0.5)).choices[0].token_ids == before


def num_running(client: openai.OpenAI) -> float:
    """Requests that vLLM runs or lets wait, by its own numbers."""
    url = str(client.base_url).removesuffix("v1/") + "metrics"
    with urllib.request.urlopen(url) as answer:
        lines = answer.read().decode().splitlines()
    counted = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counted))
