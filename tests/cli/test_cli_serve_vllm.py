"""``eft serve-vllm`` before vLLM is asked; what it serves is tested where vLLM is installed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

import pytest

import eft_integrations.vllm
from tests.cli.conftest import Eft


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is there")
def test_without_vllm_it_says_what_to_install(eft: Eft) -> None:
    result = eft("serve-vllm", "--port", "8000", "--any-flag-of-vllm")
    assert result.exit_code == 2
    assert "pip install 'eft-integrations[vllm]'" in result.stderr


def test_half_a_trio_is_refused(eft: Eft) -> None:
    assert "--base" in eft("serve-vllm", "--tuned", "somewhere").stderr


@pytest.mark.parametrize("is_terminated", [True, False])
def test_a_stop_that_native_code_tells_as_another_error_is_a_stop(
    eft: Eft, monkeypatch: pytest.MonkeyPatch, is_terminated: bool
) -> None:
    """As safetensors does where the signal meets it reading weights; other errors stay."""

    def load() -> dict[str, str]:
        with suppress(KeyboardInterrupt):
            if is_terminated:
                signal.raise_signal(signal.SIGTERM)
        raise ValueError("no shape")

    @contextmanager
    def embedded() -> Iterator[dict[str, str]]:
        yield load()

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(eft_integrations.vllm, "embedded", embedded)
    result = eft("serve-vllm")
    assert result.exit_code == (130 if is_terminated else 1)
    assert isinstance(result.exception, SystemExit if is_terminated else ValueError)
    assert signal.getsignal(signal.SIGTERM) is before
