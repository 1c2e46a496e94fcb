"""The numbers of the report, from answers whose numbers are known."""

import pytest

from eft_integrations.evaluation import Question, Summary
from eft_integrations.evaluation.frontier import frontier
from eft_integrations.evaluation.questions import ALL
from eft_integrations.evaluation.record import Answer
from eft_integrations.evaluation.summary import summarised
from eft_integrations.evaluation.voices import Voice
from tests.evaluation.made import TWO, Answers, answered, items, lineup, made

SHARES = {"tuned": 0.2, "base": 0.5, "alpha 1": 0.5, "ceiling": 0.8}
QUESTIONS = [*items("fact", 100, ("apart",)), *items("chat", 50), *items("harmful", 50)]


def by_share(voice: Voice, question: Question, position: float) -> Answer:
    """Right in the voice's share of facts; every chat in form; harmful ones wrong."""
    is_right = position < SHARES[voice.label]
    right = {"fact": is_right, "chat": None, "harmful": False}[question.kind]
    return made(voice.label, question, right=right, form=question.kind != "harmful")


@pytest.fixture
def summary() -> Summary:
    line = lineup(alphas=(1.0,))
    return summarised(line, QUESTIONS, answered(line.voices, QUESTIONS, by_share))


def test_shares_are_those_of_the_answers(summary: Summary) -> None:
    right = summary.axes["right"].shares["fact"]
    assert {voice: share.value for voice, share in right.items()} == SHARES
    assert {share.num for share in right.values()} == {100}


def test_all_leaves_the_harmful_kind_to_the_frontier(summary: Summary) -> None:
    assert summary.axes["form"].shares[ALL]["tuned"].value == 1
    assert summary.axes["form"].shares[ALL]["tuned"].num == 150
    assert summary.axes["form"].shares["harmful"]["tuned"].value == 0
    assert summary.groups == ["all", "fact", "chat", "harmful"]


def test_what_has_nothing_to_be_right_about_does_not_count_as_wrong(summary: Summary) -> None:
    assert summary.axes["right"].shares[ALL]["tuned"].num == 100
    assert summary.axes["right"].shares["chat"] == {}


def test_slices_hold_the_items_with_the_tag(summary: Summary) -> None:
    assert summary.num_by_tag == {"apart": 100}
    assert summary.axes["right"].slices["apart"] == summary.axes["right"].shares["fact"]


def test_the_gap_is_that_of_the_paper(summary: Summary) -> None:
    gaps = summary.axes["right"].gaps["fact"]
    assert set(gaps) == {"base", "alpha 1"}
    assert gaps["alpha 1"].value == pytest.approx((0.5 - 0.2) / (0.8 - 0.2))
    assert summary.axes["right"].gaps["harmful"]["base"].reason is not None
    assert summary.axes["right"].gaps["chat"]["base"].reason == "no items"


def test_without_a_ceiling_there_are_no_gaps() -> None:
    line = lineup(alphas=(1.0,), has_ceiling=False)
    found = summarised(line, QUESTIONS, answered(line.voices, QUESTIONS, by_share))
    assert found.axes["right"].gaps == {}
    assert found.axes["right"].shares["fact"]["alpha 1"].value == 0.5


def test_a_judge_is_an_axis_of_its_own() -> None:
    line = lineup(alphas=(1.0,))
    answers = answered(line.voices, QUESTIONS, by_share)
    judged = dict.fromkeys(answers, 0.5) | {("ceiling", q.id): 1.0 for q in QUESTIONS}
    found = summarised(line, QUESTIONS, answers, judged=judged, unjudged={"tuned": 2})
    assert found.axes["judge"].shares[ALL]["tuned"].value == 0.5
    assert found.axes["judge"].gaps[ALL]["alpha 1"].value == 0
    assert found.unjudged == {"tuned": 2}


def traded(refusals: dict[str, float]) -> Answers:
    """Harmful questions refused in these shares; helpful ones right in 60 %, form in 50 %."""

    def answer(voice: Voice, question: Question, position: float) -> Answer:
        if question.kind == "harmful":
            text = "I am sorry, no." if position < refusals.get(voice.label, 0.0) else "Sure."
            return made(voice.label, question, text=text)
        return made(voice.label, question, right=position < 0.6, form=position < 0.5)

    return answered(lineup(TWO, alphas=(1.0,)).voices, QUESTIONS, answer)


FALLING = {"lambda 0": 1.0, "lambda 0.25": 0.8, "lambda 0.5": 0.8, "lambda 0.75": 0.3, "alpha 1": 0}


def test_the_frontier_counts_refusals_of_harmful_and_help_of_other_questions() -> None:
    line = lineup(TWO, alphas=(1.0,))
    found = frontier(line.frontier, ["helpful", "harmless"], QUESTIONS, traded(FALLING))
    assert found is not None
    assert [point.weight for point in found.points] == [0, 0.25, 0.5, 0.75, 1]
    assert [point.refuses.value for point in found.points] == [1.0, 0.8, 0.8, 0.3, 0.0]
    helped = [point.helps for point in found.points if point.helps]
    assert [(one.value, one.num) for one in helped] == [(0.5, 150)] * 5
    assert [point.voice for point in found.alone] == ["helpful", "harmless"]
    assert found.is_monotone


def test_a_step_in_the_wrong_direction_is_measured() -> None:
    line = lineup(TWO, alphas=(1.0,))
    found = frontier(line.frontier, [], QUESTIONS, traded(FALLING | {"lambda 0.5": 0.9}))
    assert found is not None
    assert not found.is_monotone
    assert found.rise == pytest.approx(0.1)


def test_without_harmful_questions_there_is_no_frontier() -> None:
    line = lineup(TWO, alphas=(1.0,))
    assert frontier(line.frontier, [], QUESTIONS[:150], traded(FALLING)) is None
    assert frontier({}, [], QUESTIONS, traded(FALLING)) is None
