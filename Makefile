# `make demo` and `make test` are all the set-up there is; both start with `make install`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: install demo bench test test-slow lint docs clean

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
	$(BIN)/pytest -m 'not slow'

test-slow: $(VENV)/.test
	$(BIN)/pytest -m slow

docs: install
	$(BIN)/python docs/build_cli.py

clean:
	rm -rf $(VENV) build dist
