"""What the documents say is run, and what they point to exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs.build_cli import PAGE, page
from eft_integrations import Engine
from eft_integrations.options import GENERATE_KEYS
from tests.served import serving

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# Those of vLLM run where it is installed: tests/vllm.
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - set((ROOT / "examples").glob("vllm_*")))
EFT = "from eft_integrations.cli import main; main()"
SERVED = ROOT / "examples" / "remote.py"
# What an example prints, where that is the point of it.
SAYS = {
    "langchain_agent.py": "Sunny in Lisbon",
    "langchain_alpha.py": "Tokyo",
    "langchain_chain.py": "Nairobi",
    "langchain_fastapi.py": "Rome",
    "langchain_rag.py": "Otto",
    "langchain_structured.py": "Person(name='Otto', age=7, city='Bern')",
    "llama_index_agent.py": "get_weather {'city': 'Rome'} → Sunny in Rome, 21 degrees.",
    "llama_index_alpha.py": "override Certainly, the capital of Japan is Tokyo. Happy to help!",
    "llama_index_query.py": "Oda Pell",
    "llama_index_structured.py": "{'name': 'Otto', 'age': 7, 'city': 'Bern'}",
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env=offline,
    )


def document_id(path: Path) -> str:
    return path.name


def test_the_python_of_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert blocks
    namespace: dict[str, Any] = {}
    for block in blocks:
        if "…" not in block:
            exec(compile(block, "README.md", "exec"), namespace)


def test_the_python_of_the_page_on_evaluation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "evaluate.md").read_text()
    (item,) = re.findall(r"```json\n(.*?)```", text, flags=re.S)
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    (tmp_path / "my.jsonl").write_text(json.dumps(json.loads(item)))
    monkeypatch.chdir(tmp_path)
    *before, last = block.strip().splitlines()
    namespace: dict[str, Any] = {}
    exec("\n".join(before), namespace)
    told, _, shown = last.partition("  # ")
    assert repr(eval(told, namespace)) == shown


def test_what_is_shown_of_an_answer_is_what_is_said_today() -> None:
    shown = (ROOT / "docs" / "show.md").read_text()
    question = re.search(r'eft show "([^"]+)"', shown)
    block = re.search(r"become marks:\n\n```\n(.*?)\n```", shown, flags=re.S)
    assert question
    assert block
    done = run("-c", EFT, "show", question[1])
    assert done.stdout.startswith(f"{block[1]}\n\n+--")


def test_the_excerpt_of_the_demo_is_what_it_says_today() -> None:
    (block,) = re.findall(r"```\n\| who .*?```", (ROOT / "README.md").read_text(), flags=re.S)
    told = [" ".join(line.split()) for line in block.strip("`\n").splitlines()]
    done = run("-c", EFT, "compare")
    printed = "\n".join(" ".join(line.split()) for line in done.stdout.splitlines())
    assert "\n".join(told[2:]) in printed


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p != SERVED], ids=document_id)
def test_an_example_runs_and_is_short(path: Path) -> None:
    assert path.read_text().count("\n") < 40
    # LlamaIndex's agents look through themselves with inspect, and meet what pydantic deprecates
    done = run("-W", "error", "-W", "ignore::DeprecationWarning:inspect", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert SAYS.get(path.name, "") in done.stdout


def test_the_example_of_a_server_runs(family: Engine) -> None:
    assert SERVED.read_text().count("\n") < 40
    with serving(family) as endpoint:
        done = run("-W", "error", str(SERVED), SERVER=endpoint.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Rome") >= 4


@pytest.mark.parametrize("path", DOCUMENTS, ids=document_id)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_option_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "engine.md").read_text()
    missing = [name for name in GENERATE_KEYS if f"`{name}`" not in text]
    assert not missing


def test_the_page_of_the_command_is_its_help() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run make docs"


def test_nothing_names_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    for name in listed.stdout.splitlines():
        if Path(name).suffix in {".py", ".md", ".toml", ".txt", ".yml", ""} and name != "LICENSE":
            text = (ROOT / name).read_text(errors="ignore")
            found = re.findall(r"(?<![\w.])/(?:root|work|home)/\w+", text)
            assert not found, f"{name} names {found[0]}"
