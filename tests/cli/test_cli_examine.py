"""A sketch, which has no weights, tells what the loaded member tells."""

from pathlib import Path
from typing import Any

import pytest
from transformers import RwkvConfig

from eft_integrations.engine.config import EngineConfig, MemberConfig
from eft_integrations.engine.examine import examine_files
from eft_integrations.engine.findings import cache, memory, spelled
from eft_integrations.engine.kv import Memory
from eft_integrations.engine.members import load_member, sketch_member
from tests.conftest import save_trio
from tests.engine.test_architectures import ARCHITECTURES, make


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_sketch_has_the_figures_of_the_loaded_member(
    name: str, tokenizer: Any, tmp_path: Path
) -> None:
    make(name, tmp_path, tokenizer)
    config = MemberConfig(path=tmp_path / "base", dtype="float32", device="cpu")
    drawn, loaded = sketch_member("base", config), load_member("base", config)
    for figure in ("num_bytes", "head_width", "context_len", "kv_bytes_per_token", "end_ids"):
        assert getattr(drawn, figure) == getattr(loaded, figure), figure
    assert (drawn.windows, drawn.dtype) == (loaded.windows, loaded.dtype)
    assert all(parameter.is_meta for parameter in drawn.model.parameters())


def test_a_recurrent_model_is_a_problem_before_it_is_loaded(tokenizer: Any, tmp_path: Path) -> None:
    config = RwkvConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2)
    save_trio(tmp_path, tokenizer, {"base": config})
    (finding,) = examine_files(EngineConfig.of(base=tmp_path / "base")).findings
    assert (finding.level, finding.subject) == ("problem", "base")
    assert "not plain keys and values" in finding.text
    assert finding.remedy.startswith("use a transformer")


def test_a_role_that_shares_a_model_shares_its_weights_and_not_its_cache(trio: Path) -> None:
    def texts(reference: Path) -> dict[str, str]:
        config = EngineConfig.of(base=trio / "base", tuned=trio / "tuned", reference=reference)
        return {finding.subject: finding.text for finding in examine_files(config).findings}

    apart, shared = texts(trio / "reference"), texts(trio / "tuned")
    weights = [text["memory"].split(",")[0] for text in (apart, shared)]
    assert weights[0] != weights[1]
    assert apart["cache"].split(";")[0] == shared["cache"].split(";")[0]


@pytest.mark.parametrize(
    ("needed", "free", "level"), [(79, 100, "ok"), (81, 100, "warning"), (101, 100, "problem")]
)
def test_weights_near_the_free_memory_warn_and_beyond_it_are_a_problem(
    needed: int, free: int, level: str
) -> None:
    assert memory("cpu", needed, free).level == level


@pytest.mark.parametrize(
    ("num_tokens", "level"), [(100, "problem"), (1024, "warning"), (4096, "note"), (8192, "ok")]
)
def test_a_cache_that_holds_less_than_the_context_is_told(num_tokens: int, level: str) -> None:
    assert cache(Memory(num_tokens * 10, 0, 10), 8192).level == level


def test_what_keeps_ended_texts_holds_no_running_ones() -> None:
    memory = Memory.of(10_240 * 10, None, 10)
    assert memory.max_cells == 7_680
    assert "7680 tokens fit in" in cache(memory, 4096).text
    assert Memory.of(130 * 10, None, 10).prefix_bytes == 20  # one block is left


def test_bytes_are_spelled_for_people() -> None:
    assert [spelled(n) for n in (999, 1500, 2_560_000, 23_400_000_000)] == [
        "999 B",
        "1.5 kB",
        "2.56 MB",
        "23.4 GB",
    ]
