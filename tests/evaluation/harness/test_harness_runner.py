"""The harness's own runner and command with the model eft in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from eft_integrations.evaluation.harness import EFTLM
from eft_integrations.evaluation.harness.arguments import ModelArguments
from eft_integrations.evaluation.harness.sampling import KNOWN

DOCUMENT = Path(__file__).parents[3] / "docs" / "harness.md"
TASK = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{test: {folder}/facts.json}}
  cache_dir: {folder}/cache
test_split: test
output_type: {kind}
doc_to_text: "{text}"
doc_to_target: "{target}"
{more}
"""

EXACT = (
    'generation_kwargs: {until: ["."], max_gen_toks: 8, do_sample: false}\n'
    "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]"
)
ROLLING = "metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]"


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three small tasks on three facts."""
    folder = tmp_path_factory.mktemp("tasks")
    capitals = {"Italy": "Rome", "France": "Paris", "Egypt": "Cairo"}
    cities = list(capitals.values())
    facts = [
        {"question": f"The capital of {country} is", "choices": cities, "answer": city}
        for country, city in capitals.items()
    ]
    (folder / "facts.json").write_text("\n".join(json.dumps(fact) for fact in facts))
    choose = 'doc_to_choice: "{{choices}}"\nmetric_list: [{metric: acc}, {metric: acc_norm}]'
    wanted = [
        ("choose", "multiple_choice", "{{question}}", "{{choices.index(answer)}}", choose),
        ("write", "generate_until", "{{question}}", "{{answer}}", EXACT),
        ("roll", "loglikelihood_rolling", "", "{{question}} {{answer}}.", ROLLING),
    ]
    for name, kind, text, target, more in wanted:
        filled = TASK.format(
            name=name, kind=kind, text=text, target=target, more=more, folder=folder
        )
        (folder / f"{name}.yaml").write_text(filled)
    return folder


def results(model: Any, tasks: Path, **more: Any) -> dict[str, Any]:
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    names = ["choose", "write", "roll"]
    done = simple_evaluate(model, tasks=names, task_manager=manager, bootstrap_iters=0, **more)
    assert done is not None
    return {**done["results"], "samples": done["samples"]}


@pytest.fixture(scope="module")
def run_of_base(trio: Path, tasks: Path) -> dict[str, Any]:
    """The harness's runner on ``--model eft`` at alpha 0, members and all from its own strings."""
    args = ",".join(f"{role}={trio / role}" for role in ("base", "tuned", "reference"))
    return results("eft", tasks, model_args=f"{args},dtype=float32,alpha=0,max_length=511")


def test_the_runner_says_of_alpha_zero_what_it_says_of_base(
    hf: Any, tasks: Path, run_of_base: dict[str, Any]
) -> None:
    wanted = results(hf, tasks)
    assert {"choose", "write", "roll"} <= set(run_of_base)
    for task in ("choose", "write", "roll"):
        for metric, value in wanted[task].items():
            expected = pytest.approx(value, rel=1e-5) if isinstance(value, float) else value
            assert run_of_base[task][metric] == expected, f"{task} {metric}"


def test_the_runner_says_the_same_twice(
    lm: EFTLM, tasks: Path, run_of_base: dict[str, Any]
) -> None:
    again = results(lm, tasks)["samples"]
    for task, samples in run_of_base["samples"].items():
        for one, two in zip(samples, again[task], strict=True):
            if task == "write":
                assert one["resps"] == two["resps"]
            assert one["doc_hash"] == two["doc_hash"]


def test_the_embedded_family_knows_its_capitals_in_the_runner(tasks: Path) -> None:
    run = results("eft", tasks, model_args={"alpha": 1.0}, batch_size="4")
    assert run["choose"]["acc,none"] == 1.0


def test_the_runner_applies_the_template_of_the_tuned_member(lm: EFTLM, tasks: Path) -> None:
    run = results(lm, tasks, apply_chat_template=True, system_instruction="Be brief.")
    prompt = run["samples"]["write"][0]["arguments"][0][0]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The capital of Italy is"},
    ]
    assert prompt == lm.apply_chat_template(messages)


# The command, and what is not imported.


def run_python(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True)


def test_without_the_extra_the_error_names_it() -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'lm_eval':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import eft_integrations.evaluation.harness\n"
    )
    last = run_python("-c", code).stderr.splitlines()[-1]
    assert "LoadError: the harness needs the package lm-eval" in last
    assert last.endswith("pip install 'eft-integrations[eval]'")


def test_the_command_eft_does_not_import_the_harness() -> None:
    code = "import sys, eft_integrations.cli.app; print('lm_eval' in sys.modules)"
    assert run_python("-c", code).stdout == "False\n"


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


@pytest.mark.slow
@pytest.mark.usefixtures("_offline")
def test_the_command_of_the_harness_knows_eft(tasks: Path) -> None:
    command = ["-m", "eft_integrations.evaluation.harness", "run", "--model", "eft"]
    where = ["--include_path", str(tasks), "--tasks", "choose", "--batch_size", "auto"]
    done = run_python(*command, *where, "--model_args", "alpha=1.0")
    assert done.returncode == 0, done.stderr
    assert "acc" in done.stdout
    wrong = run_python(*command, *where, "--model_args", "alhpa=1.0")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].endswith("did you mean 'alpha'?")


def test_every_argument_and_keyword_is_in_the_document() -> None:
    named = set(re.findall(r"`(\w+)", DOCUMENT.read_text(encoding="utf-8")))
    assert {spec.name for spec in fields(ModelArguments)} <= named
    assert named >= KNOWN
