"""A run: every voice answers every question as the engine would, once, whatever interrupts it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Engine, InvalidRequest, LoadError, Mixture
from eft_integrations.chat import render
from eft_integrations.evaluation import Run, evaluate, publish
from eft_integrations.evaluation import answering as answering_module
from eft_integrations.evaluation.grades import Said
from eft_integrations.evaluation.lines import append_lines, read_lines
from eft_integrations.evaluation.record import fingerprint, graded
from tests.conftest import open_trio
from tests.evaluation.conftest import MAX_TOKENS, QUESTIONS, MakeRun, question

VOICES = ("tuned", "base", "alpha 1", "ceiling")


class Counting:
    """A progress that keeps what it hears."""

    def __init__(self) -> None:
        self.stages: dict[str, list[int]] = {}

    def begin(self, stage: str, total: int) -> None:
        self.stages[stage] = [total]

    def advance(self, num: int) -> None:
        self.stages[list(self.stages)[-1]].append(num)


def refusing() -> Engine:
    raise AssertionError("no engine is needed any more")


def lines(run: Run) -> list[dict[str, Any]]:
    return [dict(line) for line in read_lines(run.folder.answers_path)]


def test_every_voice_answers_as_the_engine_alone(make_run: MakeRun, engine: Engine) -> None:
    run = make_run()
    evaluate(run)
    found = {(line["voice"], line["id"]): line for line in lines(run)}
    assert set(found) == {(voice, q.id) for voice in VOICES for q in QUESTIONS}
    for voice in run.lineup.of_the_trio:
        for q in QUESTIONS:
            prompt = render(engine, q.messages)
            g = engine.generate(prompt, mixture=voice.mixture, max_tokens=MAX_TOKENS)
            assert found[voice.label, q.id]["text"] == g.text
            assert found[voice.label, q.id]["token_ids"] == list(g.token_ids)
            assert found[voice.label, q.id]["finish_reason"] == g.finish_reason


def test_a_finished_run_opens_no_engine_and_gives_the_same_numbers(make_run: MakeRun) -> None:
    first = evaluate(make_run())
    again = evaluate(make_run(open_trio=refusing, open_ceiling=refusing))
    assert again == first


def test_an_interrupted_run_goes_on_and_answers_nothing_twice(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering_module, "CHUNK", 5)

    class Interrupting(Counting):
        def advance(self, num: int) -> None:
            raise KeyboardInterrupt

    run = make_run()
    with pytest.raises(KeyboardInterrupt):
        evaluate(run, Interrupting())
    assert len(lines(run)) == 5
    heard = Counting()
    evaluate(run, heard)
    assert heard.stages["answering"] == [7, 5, 2]
    assert heard.stages["answering with the ceiling"] == [4, 4]
    names = [(line["voice"], line["id"]) for line in lines(run)]
    assert len(names) == len(set(names)) == 16


def test_a_torn_last_line_is_answered_again(make_run: MakeRun) -> None:
    run = make_run()
    whole = evaluate(run)
    data = run.folder.answers_path.read_bytes()
    run.folder.answers_path.write_bytes(data[:-10])
    assert evaluate(run) == whole
    assert len(lines(run)) == 16


def begun(run: Run, voice: str = "tuned") -> None:
    """A folder with one answer."""
    run.folder.begin(run.manifest, {"torch": "1"})
    run.folder.add_answers([graded(QUESTIONS[0], voice, Said(text="Chad"), "stop", [5])])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"questions": QUESTIONS[:2]}, "other questions"),
        ({"members": {"base": "another"}}, "other members (base: random there, another here)"),
        ({"max_tokens": 7}, "other settings (max_tokens: 6 there, 7 here)"),
    ],
)
def test_another_run_is_not_mixed_into_a_folder(
    make_run: MakeRun, change: dict[str, Any], told: str
) -> None:
    begun(make_run())
    with pytest.raises(InvalidRequest) as caught:
        evaluate(make_run(**change, open_trio=refusing))
    assert told in str(caught.value)
    assert "give another --output, or delete it" in str(caught.value)


def failing() -> Engine:
    raise LoadError("no such model")


def test_a_run_without_answers_binds_nobody(make_run: MakeRun) -> None:
    """What failed before its first answer is mended and run again in the same folder."""
    with pytest.raises(LoadError):
        evaluate(make_run(members={"base": "a typo"}, open_trio=failing))
    assert evaluate(make_run()).num_by_voice["tuned"] == len(QUESTIONS)


def test_a_ceiling_that_cannot_be_opened_is_given_again(make_run: MakeRun) -> None:
    named = {"base": "random", "ceiling": "a typo"}
    with pytest.raises(LoadError):
        evaluate(make_run(members=named, open_ceiling=failing))
    mended = make_run(members={**named, "ceiling": "right"}, open_trio=refusing)
    assert evaluate(mended).num_by_voice["ceiling"] == len(QUESTIONS)
    with pytest.raises(InvalidRequest, match=r"other members \(ceiling: right there, other here"):
        evaluate(make_run(members={**named, "ceiling": "other"}))


@pytest.mark.parametrize("name", ["answers", "agreement", "judged"])
def test_files_of_a_run_that_is_gone_are_refused(make_run: MakeRun, name: str) -> None:
    """Its labels and ids may be those of this run, and its numbers would pass for ours."""
    run = make_run(open_trio=refusing)
    run.folder.path.mkdir()
    (run.folder.path / f"{name}.jsonl").write_text('{"voice": "tuned", "id": "a"}\n')
    with pytest.raises(InvalidRequest, match=rf"holds {name}\.jsonl without run\.json"):
        evaluate(run)


def test_a_run_keeps_the_versions_that_it_began_with(make_run: MakeRun) -> None:
    run = make_run()
    begun(run)
    report = publish(run, evaluate(run))
    assert report.versions == {"torch": "1"}
    assert any("begun with torch 1; this page is of eft-integrations" in n for n in report.notes)


@pytest.mark.parametrize("bad", [0, -5])
def test_lengths_below_1_are_refused(make_run: MakeRun, bad: int) -> None:
    with pytest.raises(InvalidRequest, match=f"max_tokens .*{bad}"):
        make_run(max_tokens=bad)


def test_a_folder_that_cannot_be_written_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InvalidRequest, match=r"cannot use .* as the output folder"):
        evaluate(make_run(open_trio=refusing))


def test_calls_are_kept_and_graded_anew(make_run: MakeRun) -> None:
    call = {"name": "now", "arguments": {"zone": 1}}
    right, broken = (
        question(name, "tool", expect={"calls": [call] if name == "r" else []}) for name in "rb"
    )
    run = make_run(questions=(right, broken), open_trio=refusing)
    run.folder.begin(run.manifest, {})
    said = (Said(text="", calls=[call]), Said(text="<tool_call>", problems=["it is cut"]))
    pairs = zip((right, broken), said, strict=True)
    answers = [graded(one, "tuned", heard, "stop", [5]) for one, heard in pairs]
    run.folder.add_answers(answers)
    found = run.folder.answers(run.questions)
    assert [answer.right for answer in found.values()] == [True, False]
    assert [*found.values()] == answers


def test_foreign_answers_are_refused(make_run: MakeRun) -> None:
    run = make_run(open_trio=refusing)
    run.folder.begin(run.manifest, {})
    append_lines(run.folder.answers_path, [{"voice": "tuned", "id": "unknown"}])
    with pytest.raises(InvalidRequest, match="holds an answer of another kind"):
        evaluate(run)


def test_a_question_that_does_not_fit_is_named_before_the_first_answer(make_run: MakeRun) -> None:
    long = question("far too long " * 400)
    run = make_run(questions=(*QUESTIONS, long))
    with pytest.raises(InvalidRequest, match=r"question 'far too long .* and the context 512"):
        evaluate(run)
    assert not lines(run)


def test_a_question_that_does_not_fit_the_ceiling_says_so(
    make_run: MakeRun, trio: Path, tmp_path: Path
) -> None:
    shutil.copytree(trio / "tuned", tmp_path / "short")
    config = tmp_path / "short" / "config.json"
    config.write_text(config.read_text().replace("512", "32"))
    alone = Mixture(weights={"base": 1})

    def open_short() -> Engine:
        return Engine.from_pretrained(base=tmp_path / "short", dtype="float32", mixture=alone)

    run = make_run(questions=(question("long " * 20),), open_ceiling=open_short, max_tokens=None)
    with pytest.raises(InvalidRequest, match=r"the ceiling: question .* not 1; shorten it$"):
        evaluate(run)


@pytest.fixture
def bare(trio: Path, tmp_path: Path) -> Path:
    """The trio without templates."""
    shutil.copytree(trio, tmp_path / "bare")
    for file in (tmp_path / "bare").glob("*/chat_template.jinja"):
        file.unlink()
    return tmp_path / "bare"


def test_members_without_a_template_are_asked_in_plain_lines(make_run: MakeRun, bare: Path) -> None:
    run = make_run(open_trio=lambda: open_trio(bare))
    assert evaluate(run).num_by_voice["alpha 1"] == len(QUESTIONS)


def test_members_without_a_template_are_told_tools_in_words(make_run: MakeRun, bare: Path) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": {}}}
    armed = question("x", "tool", tools=[tool], expect={"calls": []})
    summary = evaluate(make_run(questions=(armed,), open_trio=lambda: open_trio(bare)))
    assert summary.axes["right"].shares["tool"]["alpha 1"].value == 1.0


def test_tools_reach_the_prompt(make_run: MakeRun, engine: Engine) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": {}}}
    plain, armed = question("x"), question("y", tools=[tool])
    prompts = answering_module.asked(engine, [plain, armed], 4).prompts
    text = engine.tokenizer().decode(prompts["y"]["base"])
    assert '"name": "now"' in text
    assert len(prompts["y"]["base"]) > len(prompts["x"]["base"])


def test_a_fingerprint_changes_with_the_weights(trio: Path) -> None:
    names = {fingerprint(trio / role) for role in ("base", "tuned", "base")}
    assert len(names) == 2
    assert fingerprint("org/model-on-a-hub") == ""


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "config.json"])
def test_a_fingerprint_changes_with_what_reads_the_text(
    trio: Path, tmp_path: Path, name: str
) -> None:
    member = tmp_path / "member"
    shutil.copytree(trio / "base", member)
    before = fingerprint(member)
    with (member / name).open("a") as file:
        file.write(" ")
    assert fingerprint(member) != before


def test_a_line_in_the_middle_that_does_not_parse_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"a": 1}) + "\noops\n{}\n")
    with pytest.raises(InvalidRequest, match=r"x\.jsonl:2 is not a line that was written here"):
        read_lines(path)
