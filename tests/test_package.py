"""The wheel works when it is installed alone, family included."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 40_000_000
    target = folder / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True, capture_output=True)
    return target


def run_beside(target: Path, code: str) -> list[str]:
    """The lines that ``code`` prints where the installed package comes first."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=target.parent,
        env={**os.environ, "PYTHONPATH": str(target)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_wheel_installs_alone_and_answers(installed: Path) -> None:
    where, num_tokens = run_beside(
        installed,
        "import eft_integrations; from eft_integrations import Engine\n"
        "print(eft_integrations.__file__)\n"
        "g = Engine.tiny().generate('The capital of France is', max_tokens=4)\n"
        "print(g.usage.completion_tokens)",
    )
    assert Path(where).is_relative_to(installed)
    assert int(num_tokens) > 0
    assert (installed / "eft_integrations" / "py.typed").is_file()


@pytest.mark.slow
def test_the_wheel_has_a_place_in_the_namespace_of_llama_index(installed: Path) -> None:
    where, core, is_one, is_known = run_beside(
        installed,
        "import llama_index.llms.eft as eft, llama_index.core\n"
        "from eft_integrations.llama_index import EFTLLM\n"
        "from llama_index.core.llms.loading import load_llm\n"
        "print(eft.__file__); print(llama_index.core.__version__); print(eft.EFTLLM is EFTLLM)\n"
        "print(type(load_llm({'class_name': 'EFTLLM'})) is EFTLLM)",
    )
    assert Path(where) == installed / "llama_index" / "llms" / "eft" / "__init__.py"
    assert core
    assert is_one == is_known == "True"
    assert not list(installed.glob("llama_index/__init__.py"))
    assert not list(installed.glob("llama_index/llms/__init__.py"))
    assert not (installed / "eft_integrations" / "_namespace").exists()
    assert (installed / "llama_index" / "llms" / "eft" / "py.typed").is_file()


def test_llamahub_is_told_what_there_is() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["llamahub"]
    folder = ROOT / "eft_integrations" / "_namespace" / told["import_path"].replace(".", "/")
    text = (folder / "__init__.py").read_text()
    assert all(name in text for name in told["class_authors"])


@pytest.mark.parametrize(
    ("code", "given", "found"),
    [
        ("import eft_integrations", {}, ["30000", "True"]),
        ("import eft_integrations, torch", {"GOMP_SPINCOUNT": "7"}, ["7", "True"]),
        ("import eft_integrations", {"OMP_WAIT_POLICY": "passive"}, ["None", "True"]),
        ("import torch, eft_integrations", {}, ["None", "False"]),
    ],
)
def test_openmp_is_told_before_torch_is_loaded_and_not_against_anyones_word(
    code: str, given: dict[str, str], found: list[str]
) -> None:
    told = "import os; from eft_integrations import openmp; print(os.environ.get('GOMP_SPINCOUNT'))"
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {told}; print(openmp.IS_KNOWN)"],
        capture_output=True,
        text=True,
        check=True,
        env={**kept, **given},
    )
    assert done.stdout.splitlines() == found
