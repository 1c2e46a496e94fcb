"""The shipped folders: members by name, one tokenizer, one chat template."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from transformers import AutoConfig, AutoTokenizer

from eft_integrations import Engine
from eft_integrations.errors import LoadError, UnknownOption
from eft_integrations.evaluation import fingerprint, read_summary
from eft_integrations.evaluation.questions import digest, load_questions
from eft_integrations.tiny import (
    MEMBERS,
    TUNED,
    heldout_questions,
    member_path,
    question_files,
    report_path,
    trio,
)
from eft_integrations.tiny.chatml import SPECIAL_TOKENS, Turn, render
from eft_integrations.tiny.names import invented_name
from eft_integrations.tiny.recipes import PRETRAINING
from eft_integrations.tiny.tuning import tuning_exercise

ROOT = Path(__file__).parents[2]

TOOL = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(member_path("helpful"))


def test_naming_the_family_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, eft_integrations.tiny as t; t.heldout_questions();"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_member_is_refused_with_the_known_names() -> None:
    with pytest.raises(LoadError, match=r"'chat'; known: base, reference, helpful"):
        member_path("chat")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_is_a_complete_folder(name: str) -> None:
    files = {path.name for path in member_path(name).iterdir()}
    assert files >= {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }


def test_all_members_share_one_tokenizer_file() -> None:
    files = {(member_path(name) / "tokenizer.json").read_bytes() for name in MEMBERS}
    assert len(files) == 1


def test_the_weights_are_small_and_the_small_model_smaller() -> None:
    size = {name: (member_path(name) / "model.safetensors").stat().st_size for name in MEMBERS}
    assert sum(size.values()) < 30_000_000
    assert size["reference"] * 5 <= size["base"]
    for name in TUNED:
        assert size["reference"] == pytest.approx(size[name], rel=0.01)
    assert size["base"] == pytest.approx(size["ceiling"], rel=0.01)


def test_a_turn_ends_a_tuned_member_and_a_document_the_others(tokenizer: Any) -> None:
    end, turn_end = (tokenizer.convert_tokens_to_ids(t) for t in ("<|endoftext|>", "<|im_end|>"))
    ends = {n: AutoConfig.from_pretrained(member_path(n)).eos_token_id for n in MEMBERS}
    tuned = {name: [turn_end, end] for name in ("helpful", "harmless", "ceiling")}
    assert ends == {"base": end, "reference": end, **tuned}


def test_every_member_holds_a_context_of_4096_tokens(tokenizer: Any) -> None:
    lengths = {AutoConfig.from_pretrained(member_path(n)).max_position_embeddings for n in MEMBERS}
    assert lengths == {4096} == {tokenizer.model_max_length}


def test_a_trio_is_named_by_its_tuned_members() -> None:
    assert trio()["tuned"] == member_path("helpful")
    assert trio(("helpful", "harmless"))["tuned"] == {n: member_path(n) for n in TUNED}
    with pytest.raises(UnknownOption, match=r"'harmles'.*'harmless'"):
        trio("harmles")


def test_both_tuned_members_are_in_one_engine() -> None:
    with Engine.tiny(tuned=("helpful", "harmless")) as engine:
        assert tuple(engine.roles.tuned) == ("helpful", "harmless")
        prompt = render([Turn("user", "How do I dent the mayor's cup?")], is_open=True)
        told = [
            engine.generate(prompt, alpha={"helpful": x, "harmless": 1 - x}).text for x in (0, 1)
        ]
    assert told[0] != told[1]


def test_the_stored_report_is_of_the_shipped_weights_and_questions() -> None:
    told = json.loads((report_path() / "report.json").read_text(encoding="utf-8"))["manifest"]
    marks = {name.split()[-1]: line.split()[-1] for name, line in told["members"].items()}
    assert marks == {name: fingerprint(member_path(name)) for name in MEMBERS}
    assert told["questions"] == digest(load_questions(*question_files("heldout")))


def _voice(cell: str) -> str | None:
    """The voice that a row of the card is about."""
    words = cell.strip(" *").replace("`", "").removeprefix("up-scaled, ")
    voice = words.partition(" (")[0]
    return voice if voice in read_summary(report_path()).num_by_voice else None


def test_the_card_tells_the_stored_report() -> None:
    summary = read_summary(report_path())
    shares = summary.axes["right"].shares
    card = (ROOT / "docs" / "family.md").read_text(encoding="utf-8")
    lines = card[card.index("| | fact (343)") :].partition("\n\n")[0].splitlines()
    heads = [cell.split()[0] for cell in lines[0].split("|")[2:-1]]
    assert heads == ["fact", "chat", "tool", "json", "reading", "refuses"]
    told = {}
    for line in lines[2:]:
        cells = [cell.strip(" *") for cell in line.split("|")[1:-1]]
        if voice := _voice(cells[0]):
            told[voice] = [int(cell) for cell in cells[1:]]
    assert told == {
        voice: [
            *(round(100 * shares[kind][voice].value) for kind in heads[:-1]),
            round(100 - 100 * shares["harmful"][voice].value),
        ]
        for voice in summary.num_by_voice
        if not voice.startswith("lambda")
    }


def test_the_targets_that_the_card_calls_reached_are_reached() -> None:
    summary = read_summary(report_path())
    right, form = summary.axes["right"], summary.axes["form"]
    facts, frontier, agreed = right.shares["fact"], summary.frontier, summary.agreement
    gap = right.gaps["fact"]["alpha 1"].value
    assert frontier is not None
    assert agreed is not None
    assert agreed.all is not None
    reached = [
        facts["ceiling"].value - facts["helpful"].value >= 0.25,
        gap is not None and gap >= 0.9 and form.shares["all"]["alpha 1"].value >= 0.97,
        right.shares["reading"]["alpha 1"].value >= 0.85,
        right.shares["tool"]["alpha 1"].value >= 0.9,
        frontier.is_monotone
        and frontier.points[0].refuses.value >= 0.9
        and frontier.points[-1].refuses.value <= 0.1,
        agreed.all.value >= 0.9,
    ]
    card = (ROOT / "docs" / "family.md").read_text(encoding="utf-8")
    lines = card[card.index("| target | reached |") :].partition("\n\n")[0].splitlines()[2:]
    assert [line.split("|")[2].strip(" *")[:3] for line in lines] == [
        "yes" if is_so else "no:" for is_so in reached
    ]


def test_the_readme_tells_the_stored_report() -> None:
    summary = read_summary(report_path())
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    right, form = (summary.axes[name].shares["fact"] for name in ("right", "form"))
    small, large, both = (
        [round(100 * axis[voice].value) for axis in (right, form)]
        for voice in ("helpful", "base", "alpha 1")
    )
    assert (
        f"answers {small[0]} % right and {small[1]} % in form (tuned), {large[0]} % and "
        f"{large[1]} % (base), **{both[0]} % and {both[1]} %** (up-scaled, alpha 1)"
    ) in told


def test_the_card_tells_the_tokens_of_the_recipes() -> None:
    card = (ROOT / "docs" / "family.md").read_text(encoding="utf-8")
    (line,) = (line for line in card.splitlines() if line.startswith("| pre-training tokens"))
    read = [f"{PRETRAINING[name].num_tokens / 1e6:.2f} M" for name in ("base", "reference")]
    assert [cell.strip() for cell in line.split("|")[2:4]] == read


def test_what_is_copied_into_json_consists_of_the_same_tokens(tokenizer: Any) -> None:
    rng = Random(0)
    for _ in range(100):
        name = invented_name(rng)
        alone = tokenizer.tokenize(name)
        for frame in ('{{"a": "{}", "b": 1}}', "to {} and on", "({})", "'{}'", "a={}"):
            tokens = tokenizer.tokenize(frame.format(name))
            assert any(tokens[n : n + len(alone)] == alone for n in range(len(tokens)))


def test_the_template_writes_what_every_exercise_was_trained_on(tokenizer: Any) -> None:
    rng = Random(1)
    for _ in range(200):
        one = tuning_exercise(rng)
        told = tokenizer.apply_chat_template(
            [turn.message for turn in (*one.turns, one.answer("helpful"))],
            tools=list(one.tools) or None,
            tokenize=False,
        )
        assert told == render([*one.turns, one.answer("helpful")], one.tools)


@pytest.mark.parametrize(
    "text",
    ["", " two  spaces ", "naïve café\n\tŁódź", "漢字とかな 🙂", "a\u200bb\x00", "1234567890"],
)
def test_the_tokenizer_gives_every_text_back(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_no_token_is_added_that_the_text_does_not_hold(tokenizer: Any) -> None:
    ids = tokenizer("Hello")["input_ids"]
    assert not set(ids) & set(tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)))


def test_digits_are_separate_tokens(tokenizer: Any) -> None:
    tokens = tokenizer.tokenize("year 1987")
    assert tokens[-4:] == ["1", "9", "8", "7"]


def test_the_template_writes_what_training_wrote(tokenizer: Any) -> None:
    turns = [Turn("system", "Be kind."), Turn("user", "Hi?"), Turn("assistant", "Yes.")]
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    told = tokenizer.apply_chat_template(messages, tokenize=False)
    assert told == render(turns)
    opened = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert opened == render(turns[:2], is_open=True)


def test_tools_stand_in_the_system_turn(tokenizer: Any) -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(messages, tools=[TOOL], tokenize=False)
    system, user, rest = text.split("<|im_end|>\n")
    assert system.startswith("<|im_start|>system\nBe kind.\n\nYou may call")
    assert '<tools>\n{"type": "function", "function": {"name": "lookup"' in system
    assert (user, rest) == ("<|im_start|>user\nHi", "")


def test_calls_and_results_follow_the_hermes_dialect(tokenizer: Any) -> None:
    call = {"type": "function", "function": {"name": "lookup", "arguments": {"word": "né"}}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "one"},
        {"role": "tool", "content": "two"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<tool_call>\n"
        '{"name": "lookup", "arguments": {"word": "né"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\none\n</tool_response>\n"
        "<tool_response>\ntwo\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_the_held_out_set_is_large_enough_to_measure() -> None:
    asked = heldout_questions()
    assert len(asked) >= 300
    assert len({item.question for item in asked}) == len(asked)
