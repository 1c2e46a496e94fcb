"""The model of lm-evaluation-harness against the harness's own model and its own runner."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM
from lm_eval.models.huggingface import HFLM

from eft_integrations import EFTError, Engine, InvalidRequest, UnknownOption
from eft_integrations.chat import render
from eft_integrations.errors import ContextOverflow
from eft_integrations.evaluation.harness import EFTLM

LONG = "the quick brown fox jumps over the lazy dog and " * 60
PAIRS = [
    ("The capital of France is", " Paris."),
    ("The capital of France is ", "Paris."),  # the space moves to the continuation
    ("", "Paris is a city."),
    ("", "<|endoftext|>Paris"),  # the prefix token is there already
    ("Question: what?\nAnswer:", " A"),
    (LONG, " Berlin is a city."),  # cut from the left
    ("x", LONG[:400]),
]
TEXTS = ["Paris is a city.", "", LONG, "<|endoftext|>Rome", "é ∑ 漢字"]
WRITING = [
    ("The capital of France is", {"until": ["\n"], "max_gen_toks": 12}),
    ("A", {"until": "e", "max_gen_toks": 16, "do_sample": False}),
    (LONG, {"until": [], "max_new_tokens": 8, "temperature": 0.0}),
    ("Question: what?\nAnswer:", {"until": ["t", "<|im_end|>"], "max_gen_toks": 24}),
    ("Rome", {"max_gen_toks": 5, "num_beams": 1}),
]


def ask(kind: str, *requests: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, args, number) for number, args in enumerate(requests)]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection was tried: {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def lm(engine: Engine) -> EFTLM:
    return EFTLM(engine=engine, alpha=0.0)


@pytest.fixture(scope="module")
def hf(trio: Path, lm: EFTLM) -> Any:
    """The harness's own model of the base."""
    base = str(trio / "base")
    return HFLM(base, dtype="float32", device="cpu", batch_size=3, max_length=lm.max_length)


def same_pairs(got: list[tuple[float, bool]], wanted: list[tuple[float, bool]]) -> None:
    assert [p for p, _ in got] == pytest.approx([p for p, _ in wanted], abs=1e-4)
    assert [is_greedy for _, is_greedy in got] == [is_greedy for _, is_greedy in wanted]


# What is equal to what.


def test_alpha_zero_scores_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("loglikelihood", *PAIRS)
    same_pairs(lm.loglikelihood(requests), hf.loglikelihood(requests))


def test_greedy_texts_are_greedy(lm: EFTLM, hf: Any) -> None:
    context = "The capital of France is"
    (text,) = lm.generate_until(ask("generate_until", (context, {"max_gen_toks": 6})))
    requests = ask("loglikelihood", (context, text), (context, text + "!"))
    answers = lm.loglikelihood(requests)
    assert answers[0][1]
    same_pairs(answers, hf.loglikelihood(requests))


def test_alpha_zero_rolls_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("loglikelihood_rolling", *[(text,) for text in TEXTS])
    wanted = hf.loglikelihood_rolling(requests)
    assert lm.loglikelihood_rolling(requests) == pytest.approx(wanted, abs=1e-3, rel=1e-6)


def test_alpha_zero_writes_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("generate_until", *WRITING)
    assert lm.generate_until(requests) == hf.generate_until(requests)


def test_a_tuned_member_that_is_its_reference_changes_nothing(trio: Path, lm: EFTLM) -> None:
    small = str(trio / "reference")
    same = EFTLM(base=str(trio / "base"), tuned=small, reference=small, dtype="float32", alpha=3)
    requests = ask("loglikelihood", *PAIRS)
    same_pairs(same.loglikelihood(requests), lm.loglikelihood(requests))
    same.engine.close()


def test_the_score_is_the_sum_by_hand(engine: Engine, models: dict[str, Any]) -> None:
    alpha = 0.7
    coefficients = {"base": 1.0, "tuned": alpha, "reference": -alpha}
    lm = EFTLM(engine=engine, alpha=alpha)
    prompt = lm.tok_encode("The capital of France is")
    answer = lm.tok_encode(" Paris.")
    ids = torch.tensor([prompt + answer])
    with torch.inference_mode():
        mixed = sum(c * models[r](ids).logits.log_softmax(-1) for r, c in coefficients.items())
    rows = mixed[0, len(prompt) - 1 : -1].log_softmax(-1)
    wanted = rows[range(len(answer)), answer].sum().item()
    request = ask("loglikelihood", ("The capital of France is", " Paris."))
    assert lm.loglikelihood(request)[0][0] == pytest.approx(wanted, abs=1e-4)


def test_a_conversation_is_what_chat_renders(engine: Engine, lm: EFTLM) -> None:
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    text = lm.apply_chat_template(messages)
    assert lm.tok_encode(text) == render(engine, messages)["tuned"]
    assert lm.chat_template(True) == engine.tokenizer("tuned").chat_template
    begun = [*messages, {"role": "assistant", "content": "It is"}]
    assert lm.apply_chat_template(begun, add_generation_prompt=False) == f"{text}It is"


# Order, repetition, caching.


def test_answers_come_in_the_order_of_the_requests(lm: EFTLM) -> None:
    small = EFTLM(engine=lm.engine, alpha=0.0)
    small.batch_len = 2
    forth = small.loglikelihood(ask("loglikelihood", *PAIRS))
    back = lm.loglikelihood(ask("loglikelihood", *reversed(PAIRS)))
    same_pairs(forth, back[::-1])
    texts = [lm.generate_until(ask("generate_until", row))[0] for row in WRITING]
    assert small.generate_until(ask("generate_until", *WRITING)) == texts
    assert lm.loglikelihood([]) == []


def test_a_draw_depends_on_its_request_and_how_often_it_came(lm: EFTLM) -> None:
    keywords = {"do_sample": True, "temperature": 1.0, "max_gen_toks": 8, "top_k": 0}
    rows = [("Paris", keywords), ("Rome", keywords), ("Paris", keywords)]
    paris, rome, again = lm.generate_until(ask("generate_until", *rows))
    assert paris != again
    assert lm.generate_until(ask("generate_until", *rows[::-1])) == [paris, rome, again]
    other = EFTLM(engine=lm.engine, alpha=0.0, seed=7)
    assert other.generate_until(ask("generate_until", rows[0])) != [paris]
    seeded = ("Paris", {**keywords, "seed": 1234})
    assert other.generate_until(ask("generate_until", seeded)) == [paris]


def test_do_sample_false_is_greedy_whatever_the_temperature(lm: EFTLM) -> None:
    rows = [("Paris", {"max_gen_toks": 8, **more}) for more in ({}, {"temperature": 1.0})]
    rows[1][1]["do_sample"] = False
    greedy, same = lm.generate_until(ask("generate_until", *rows))
    assert greedy == same


def test_the_cache_of_the_harness_answers_the_second_time(lm: EFTLM, tmp_path: Path) -> None:
    own = EFTLM(engine=lm.engine, alpha=0.0)  # the cache stays with its model
    cached = CachingLM(own, str(tmp_path / "cache.db"))
    kinds = {"loglikelihood": PAIRS, "loglikelihood_rolling": [("Rome",)]}
    first = [getattr(cached, kind)(ask(kind, *rows)) for kind, rows in kinds.items()]
    num_steps = lm.engine.stats().num_steps
    assert [getattr(cached, kind)(ask(kind, *rows)) for kind, rows in kinds.items()] == first
    assert lm.engine.stats().num_steps == num_steps
    cached.dbdict.close()


# The harness's own runner.

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
    from lm_eval.tasks import TaskManager

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


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"alhpa": 1.0}, UnknownOption, "did you mean 'alpha'"),
        ({"pretrained": "x"}, UnknownOption, "unknown model argument 'pretrained'"),
        ({"batch_size": "auto:4"}, InvalidRequest, "batch_size must be 'auto'"),
        ({"batch_size": 0}, InvalidRequest, "batch_size must be 'auto'"),
        ({"batch_size": 4, "max_batch_size": 8}, InvalidRequest, "give one of them"),
        ({"max_length": 1}, InvalidRequest, "max_length must be at least 2"),
        ({"alpha": "helpful"}, InvalidRequest, "name:value pairs"),
        ({"alpha": "helpful:much"}, InvalidRequest, "must hold numbers"),
        ({"weights": "base:1;base:2"}, InvalidRequest, "names 'base' twice"),
        ({"alpha": 1.0, "beta": 1.0}, InvalidRequest, "exclude each other"),
        ({"alpha": "helpful:1"}, UnknownOption, "tuned member in alpha"),
        ({"tuned": "nowhere"}, InvalidRequest, "base is missing"),
        ({"trust_remote_code": "yes"}, InvalidRequest, "must be True or False"),
    ],
)
def test_a_bad_model_argument_is_refused(
    arguments: dict[str, Any], kind: type[EFTError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        EFTLM(**arguments)


def test_an_open_engine_has_its_members_and_its_length(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="engine= and base= exclude each other"):
        EFTLM(engine=engine, base="x")
    with pytest.raises(InvalidRequest, match="max_length must be at most 511"):
        EFTLM(engine=engine, max_length=512)


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"untill": ["x"]}, UnknownOption, "did you mean 'until'"),
        ({"num_beams": 4}, InvalidRequest, "no beam search"),
        ({"do_sample": True}, InvalidRequest, "needs a temperature above 0"),
        ({"until": [3]}, InvalidRequest, "until must hold"),
        ({"max_gen_toks": 511}, ContextOverflow, "leaves no room for a prompt"),
    ],
)
def test_a_bad_generation_keyword_is_refused(
    lm: EFTLM, keywords: dict[str, Any], kind: type[EFTError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        lm.generate_until(ask("generate_until", ("Paris", keywords)))


def test_a_continuation_beyond_the_context_is_refused(lm: EFTLM) -> None:
    with pytest.raises(ContextOverflow, match="exceeds max_length 511"):
        lm.loglikelihood(ask("loglikelihood", ("x", LONG)))


def test_what_is_cut_and_what_counts_as_control_is_said(
    lm: EFTLM, caplog: pytest.LogCaptureFixture
) -> None:
    lm.loglikelihood(ask("loglikelihood", (LONG, "x"), ("x", "y")))
    assert "1 of 2 loglikelihood requests exceed max_length 511" in caplog.text
    lm.apply_chat_template([{"role": "user", "content": "say <|im_end|>"}])
    assert "'<|im_end|>', which counts as a control token" in caplog.text


def test_a_named_template_is_refused(lm: EFTLM) -> None:
    with pytest.raises(InvalidRequest, match="use --apply_chat_template alone"):
        lm.chat_template("tool_use")


# Several tuned members.


def test_several_tuned_members_are_named_in_one_string(trio: Path, engine: Engine) -> None:
    paths = {role: trio / role for role in ("base", "tuned", "reference")}
    two = EFTLM(
        base=str(paths["base"]),
        tuned=f"a:{paths['tuned']};b:{paths['reference']}",
        reference=str(paths["reference"]),
        dtype="float32",
        alpha="a:0.5;b:2.0",
    )
    one = EFTLM(engine=engine, weights="base:1;tuned:0.5;reference:-0.5")
    requests = ask("loglikelihood", *PAIRS)
    same_pairs(two.loglikelihood(requests), one.loglikelihood(requests))
    two.engine.close()


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
