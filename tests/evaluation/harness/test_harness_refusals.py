"""What the harness's model refuses, and what it says of what it changes."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import EFTError, Engine, InvalidRequest, UnknownOption
from eft_integrations.errors import ContextOverflow
from eft_integrations.evaluation.harness import EFTLM
from tests.evaluation.harness.requests import LONG, ask


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


def speaking(trio: Path, tokenizer: Any, folder: Path, template: str | None) -> EFTLM:
    """A model whose tuned member has another chat template, or none."""
    shutil.copytree(trio / "tuned", folder)
    (folder / "chat_template.jinja").unlink()
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    changed.save_pretrained(folder)
    base = str(trio / "base")
    return EFTLM(base=base, tuned=str(folder), reference=base, dtype="float32")


def test_a_template_without_system_messages_loses_them_loudly(
    trio: Path, tokenizer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
        "{% endif %}[{{ m.content }}]{% endfor %}"
    )
    lm = speaking(trio, tokenizer, tmp_path / "tuned", template)
    system, user = ({"role": role, "content": role} for role in ("system", "user"))
    assert lm.apply_chat_template([system, user]) == "[user]"
    assert "rendered without the system message" in caplog.text
    with pytest.raises(InvalidRequest, match="'tuned' refuses the messages"):
        lm.apply_chat_template([{"role": "user"}], add_generation_prompt=False)
    lm.engine.close()


def test_a_member_without_a_template_is_told_so(trio: Path, tokenizer: Any, tmp_path: Path) -> None:
    lm = speaking(trio, tokenizer, tmp_path / "tuned", None)
    with pytest.raises(InvalidRequest, match="leave out --apply_chat_template"):
        lm.apply_chat_template([{"role": "user", "content": "Hi"}])
    lm.engine.close()
