"""Small random members, shared by the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from transformers.utils import logging as transformers_logging

from eft_integrations import Engine
from eft_integrations.tiny import member_path

ROLES = ("base", "tuned", "reference")


@pytest.fixture(scope="session", autouse=True)
def _quiet_and_single_threaded() -> None:
    """Small matrices gain nothing from threads, and one thread adds up in one order."""
    torch.set_num_threads(1)
    transformers_logging.disable_progress_bar()


@pytest.fixture(scope="session")
def family() -> Iterator[Engine]:
    """The embedded one, for what depends on content."""
    with Engine.tiny() as opened:
        yield opened


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(member_path("helpful"))


def save_trio(folder: Path, tokenizer: Any, configs: dict[str, Any]) -> dict[str, Any]:
    """Random models of these configs, saved by role with the tokenizer; returns the models."""
    models = {}
    for seed, (role, config) in enumerate(configs.items()):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        model.save_pretrained(folder / role)
        tokenizer.save_pretrained(folder / role)
        models[role] = model
    return models


def llama(tokenizer: Any, **changes: Any) -> LlamaConfig:
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    return LlamaConfig(**{**settings, **changes})


@pytest.fixture(scope="session")
def trio_models(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Any
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("trio")
    return folder, save_trio(folder, tokenizer, {role: llama(tokenizer) for role in ROLES})


@pytest.fixture(scope="session")
def trio(trio_models: tuple[Path, dict[str, Any]]) -> Path:
    """A folder with base/, tuned/ and reference/: tiny random Llamas."""
    return trio_models[0]


@pytest.fixture(scope="session")
def models(trio_models: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """The same models, loaded, for the naive loop."""
    return trio_models[1]


@pytest.fixture(scope="session")
def engine(trio: Path) -> Iterator[Engine]:
    with open_trio(trio) as opened:
        yield opened


def open_trio(folder: Path, **settings: Any) -> Engine:
    members: dict[str, Any] = {role: folder / role for role in ROLES}
    return Engine.from_pretrained(**{**members, "dtype": "float32", **settings})
