"""What runs inside vLLM is tested where vLLM is installed: ``make test-vllm``."""

from __future__ import annotations

from importlib.util import find_spec

# The rest of this folder needs no vLLM and is part of ``make test``.
collect_ignore_glob = [] if find_spec("vllm") else ["test_vllm_*.py"]
