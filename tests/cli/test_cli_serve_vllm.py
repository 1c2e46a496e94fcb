"""``eft serve-vllm`` before vLLM is asked; what it serves is tested where vLLM is installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.cli.conftest import Eft


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is there")
def test_without_vllm_it_says_what_to_install(eft: Eft) -> None:
    result = eft("serve-vllm", "--port", "8000", "--any-flag-of-vllm")
    assert result.exit_code == 2
    assert "pip install 'eft-integrations[vllm]'" in result.stderr


def test_half_a_trio_is_refused(eft: Eft) -> None:
    assert "--base" in eft("serve-vllm", "--tuned", "somewhere").stderr
