"""Agreement: the drafter's greedy choices against the mixture's text."""

from pathlib import Path

import pytest

from eft_integrations import Engine, InvalidRequest
from eft_integrations.chat import render
from eft_integrations.evaluation import evaluate
from eft_integrations.evaluation.agreement import Traced, agreement, on_facts, traced
from eft_integrations.evaluation.lines import append_lines
from eft_integrations.evaluation.record import Folder
from tests.evaluation.conftest import QUESTIONS, MakeRun
from tests.evaluation.made import items, lineup


def test_it_is_what_the_drafter_writes_after_the_same_text(
    make_run: MakeRun, engine: Engine
) -> None:
    run = make_run()
    evaluate(run)
    answers = run.folder.answers(QUESTIONS)
    found = traced(run.folder)
    assert set(found) == {("alpha 1", q.id) for q in QUESTIONS}
    for q in QUESTIONS:
        ids = answers["alpha 1", q.id].token_ids
        prompt = render(engine, q.messages)
        drafts = [
            engine.generate(
                {role: [*start, *ids[:k]] for role, start in prompt.items()},
                weights={"tuned": 1},
                max_tokens=1,
            ).token_ids[0]
            for k in range(len(ids))
        ]
        assert found["alpha 1", q.id].agrees == tuple(map(int.__eq__, drafts, ids))


def test_the_drafter_agrees_with_itself_everywhere(make_run: MakeRun) -> None:
    """beta 0 is the tuned member alone."""
    asked = lineup(alphas=(), betas=(0.0,), has_ceiling=False)
    summary = evaluate(make_run(lineup=asked))
    assert summary.agreement is not None
    assert summary.agreement.voice == "beta 0"
    assert summary.agreement.all is not None
    assert summary.agreement.all.value == 1


def test_tokens_of_a_fact_are_those_that_touch_its_characters() -> None:
    text = "It is Port Louis, yes."
    spans = [(0, 2), (2, 5), (5, 10), (10, 13), (13, 16), (16, 17), (17, 22)]
    assert on_facts(spans, text, ["Port Louis"]) == [False, False, True, True, True, False, False]
    assert not any(on_facts(spans, text, ["Port Lou", "Paris"]))


def test_shares_weigh_tokens_and_tell_facts_apart() -> None:
    fact, chat = items("fact", 1), items("chat", 1)
    found = {
        ("v", "fact0"): Traced(
            voice="v",
            id="fact0",
            agrees=(True, False, True, True),
            is_fact=(False, True, True, False),
        ),
        ("v", "chat0"): Traced(voice="v", id="chat0", agrees=(True,), is_fact=(False,)),
    }
    table = agreement("tuned", "v", [*fact, *chat], found)
    assert table is not None
    assert table.all is not None
    assert table.facts is not None
    assert (table.all.value, table.facts.value) == (0.8, 0.5)
    assert {kind: share.value for kind, share in table.kinds.items()} == {"fact": 0.75, "chat": 1}
    assert agreement("tuned", "other", fact, found) is None


def test_a_foreign_line_is_refused(tmp_path: Path) -> None:
    append_lines(tmp_path / "agreement.jsonl", [{"voice": "v"}])
    with pytest.raises(InvalidRequest, match="was not written here"):
        traced(Folder(tmp_path))
