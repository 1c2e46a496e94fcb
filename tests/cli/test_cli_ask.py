"""``eft ask``: the answer on stdout, all else on stderr."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine
from eft_integrations.chat import render
from tests.cli.conftest import Eft
from tests.conftest import llama, save_trio

QUESTION = "Which city is the capital of Palau?"


@pytest.mark.parametrize("alpha", ["0", "0.5", "-1"])
def test_ask_writes_what_the_engine_writes(
    eft: Eft, family: list[str], engine: Engine, alpha: str
) -> None:
    result = eft("ask", QUESTION, *family, "--alpha", alpha, "--max-tokens", 12)
    prompt = render(engine, [{"role": "user", "content": QUESTION}])
    text = engine.generate(prompt, alpha=float(alpha), max_tokens=12).text
    assert result.stdout == f"{text}\n"


def test_raw_goes_without_template(eft: Eft, family: list[str], engine: Engine) -> None:
    result = eft("ask", QUESTION, *family, "--raw", "--max-tokens", 12)
    assert result.stdout == engine.generate(QUESTION, max_tokens=12).text + "\n"


def test_every_option_reaches_the_engine(eft: Eft, family: list[str], engine: Engine) -> None:
    typed = ["--beta", "1.5", "--filter-top-p", ".9", "--temperature", "1.2", "--seed", "7"]
    result = eft("ask", QUESTION, *family, "--raw", *typed, "--max-tokens", 12)
    told = engine.generate(
        QUESTION, beta=1.5, filter_top_p=0.9, temperature=1.2, seed=7, max_tokens=12
    )
    assert result.stdout == f"{told.text}\n"


def test_tuned_models_by_name_take_an_alpha_each(eft: Eft, trio: Path, engine: Engine) -> None:
    named = ["--base", trio / "base", "--reference", trio / "reference", "--dtype", "float32"]
    named += ["--tuned", f"one={trio / 'tuned'}", "--tuned", f"two={trio / 'reference'}"]
    typed = ["--alpha", "one=0.7", "--alpha", "two=0.2", "--raw", "--max-tokens", 12]
    # The second tuned model is the reference: its term is nothing.
    expected = engine.generate(QUESTION, alpha=0.7, max_tokens=12).text
    assert eft("ask", QUESTION, *named, *typed).stdout == f"{expected}\n"


def test_the_default_length_fits_into_the_context(
    eft: Eft, family: list[str], engine: Engine
) -> None:
    long = "word " * 300
    room = engine.context_len - len(engine.encoder.encode(long, special=True))
    assert room < 256
    result = eft("ask", long, *family, "--raw")
    assert result.stdout == engine.generate(long, max_tokens=room).text + "\n"


def test_without_a_template_it_asks_raw_and_says_so(
    eft: Eft, tokenizer: Any, tmp_path: Path
) -> None:
    bare = type(tokenizer).from_pretrained(tokenizer.name_or_path)
    bare.chat_template = None
    save_trio(tmp_path, bare, {"base": llama(tokenizer)})
    typed = ["--base", tmp_path / "base", "--alpha", 0, "--max-tokens", 8]
    fallen, raw = eft("ask", QUESTION, *typed), eft("ask", QUESTION, *typed, "--raw")
    assert fallen.stdout == raw.stdout
    assert "no chat template: asking raw" in fallen.stderr
    assert "no chat template" not in raw.stderr


Bad = Callable[[Path, list[str]], list[str]]
BAD: dict[str, Bad] = {
    "missing folder": lambda _t, f: [*f, "--base", "/no/such/folder"],
    "no model": lambda t, f: [*f, "--base", str(t)],
    "unknown name": lambda _t, f: [*f, "--alpha", "helpful=1"],
    "no number": lambda _t, f: [*f, "--alpha", "much"],
    "nan": lambda _t, f: [*f, "--alpha", "nan"],
    "two forms": lambda _t, f: [*f, "--alpha", "1", "--beta", "1"],
    "zero tokens": lambda _t, f: [*f, "--max-tokens", "0"],
    "too long": lambda _t, f: [*f, "--max-tokens", "100000"],
    "temperature": lambda _t, f: [*f, "--temperature", "-1"],
    "filter": lambda _t, f: [*f, "--filter-top-p", "2"],
    "seed": lambda _t, f: [*f, "--seed", "-1"],
    "device": lambda _t, f: [*f, "--device", "gpu"],
    "dtype": lambda _t, f: [*f, "--dtype", "float8"],
    "nothing to mix": lambda _t, f: f[:2],
    "no base": lambda _t, f: f[2:],
    "tuned twice": lambda _t, f: [*f, "--tuned", "other"],
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_2(
    eft: Eft, family: list[str], tmp_path: Path, case: str
) -> None:
    result = eft("ask", QUESTION, *BAD[case](tmp_path, family))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question_is_refused_before_anything_is_loaded(eft: Eft, question: str) -> None:
    result = eft("ask", question, "--base", "/no/such/folder")
    assert result.exit_code == 2
    assert "the question is empty" in result.stderr


def test_a_damaged_checkpoint_is_one_line_and_exit_2(
    eft: Eft, tokenizer: Any, tmp_path: Path
) -> None:
    save_trio(tmp_path, tokenizer, {"base": llama(tokenizer)})
    weights = tmp_path / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    result = eft("ask", QUESTION, "--base", tmp_path / "base", "--alpha", 0)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: cannot load base")
    assert result.stderr.count("\n") == 1
