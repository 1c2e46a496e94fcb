"""What ``generate``, ``stream`` and ``score`` promise, on a random trio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eft_integrations import Engine, Generation, Mixture, PerRow, Sampling
from tests import reference
from tests.conftest import ROLES

PROMPTS = ["Hello there", "The capital of France", "x", "A longer prompt than the others " * 4]


def naive(models: dict[str, Any], engine: Engine, prompt: str, alpha: float, num: int) -> Any:
    ids = dict.fromkeys(ROLES, engine.encoder.encode(prompt, special=True))
    return reference.generate(
        models, ids, reference.up_scaling(alpha), max_tokens=num, size=engine.vocab_size
    )


def test_every_row_of_a_mixed_batch_equals_the_naive_loop(
    engine: Engine, models: dict[str, Any]
) -> None:
    alphas = [0.0, 0.5, 1.0, 1.5]
    rows = engine.generate(PROMPTS, alpha=PerRow(alphas), max_tokens=20, logprobs=True)
    for prompt, alpha, row in zip(PROMPTS, alphas, rows, strict=True):
        slow = naive(models, engine, prompt, alpha, 20)
        assert list(row.token_ids) == slow.token_ids
        assert row.logprobs == pytest.approx(slow.logprobs, abs=1e-4)


def test_a_row_of_a_batch_equals_the_request_alone(engine: Engine) -> None:
    options: dict[str, Any] = {"temperature": 0.9, "top_p": 0.9, "seed": 5, "max_tokens": 16}
    together = engine.generate(PROMPTS, **options)
    alone = [engine.generate(prompt, **options) for prompt in PROMPTS]
    assert [g.token_ids for g in together] == [g.token_ids for g in alone]


def test_members_may_have_prompts_of_different_length(
    engine: Engine, models: dict[str, Any]
) -> None:
    prompts = {"base": list(range(5, 60)), "tuned": [5, 6, 7], "reference": [9]}
    slow = reference.generate(
        models, prompts, reference.up_scaling(1.0), max_tokens=16, size=engine.vocab_size
    )
    assert list(engine.generate(prompts, max_tokens=16).token_ids) == slow.token_ids


def test_a_prompt_longer_than_a_chunk_gives_the_same_text(
    engine: Engine, models: dict[str, Any]
) -> None:
    long = [*range(10, 410), 11, 12, 13]
    prompts = {"base": long, "tuned": long[:300], "reference": [9, 8]}
    slow = reference.generate(
        models, prompts, reference.up_scaling(0.7), max_tokens=8, size=engine.vocab_size
    )
    chunked = engine.generate([prompts] * 3, alpha=0.7, max_tokens=8)
    assert [list(g.token_ids) for g in chunked] == [slow.token_ids] * 3


def test_a_seed_fixes_the_text_and_two_seeds_differ(engine: Engine) -> None:
    first, again, other = (
        engine.generate("Hello", temperature=1.0, seed=seed, max_tokens=12) for seed in (1, 1, 2)
    )
    assert first.token_ids == again.token_ids != other.token_ids


def test_choices_differ_and_the_first_is_the_single_one(engine: Engine) -> None:
    several = engine.generate("Hello", temperature=1.0, seed=3, n=3, max_tokens=12)
    single = engine.generate("Hello", temperature=1.0, seed=3, max_tokens=12)
    assert len(several.choices) == 3
    assert len({choice.token_ids for choice in several.choices}) == 3
    assert several.token_ids == several.choices[0].token_ids == single.token_ids


def test_events_come_in_order_and_add_up_to_the_result(engine: Engine) -> None:
    with engine.stream("Hello", max_tokens=12, temperature=1.0, seed=4) as stream:
        events = list(stream)
    assert [event.index for event in events] == list(range(12))
    assert "".join(event.text for event in events) == stream.result.text
    assert tuple(event.token_id for event in events) == stream.result.token_ids
    assert events[-1].finish_reason == "length"
    assert events[-1].usage is not None
    assert events[-1].usage.completion_tokens == 12
    assert all(event.finish_reason is None for event in events[:-1])


def test_the_text_is_what_the_tokenizer_decodes(engine: Engine, tokenizer: Any) -> None:
    for seed in range(5):
        g = engine.generate("Hello", temperature=1.0, seed=seed, max_tokens=40)
        whole = engine.encoder.encode("Hello", special=True) + g.token_ids
        decoded = tokenizer.decode(whole, skip_special_tokens=True)
        assert decoded == "Hello" + g.text


def test_contributions_add_up_to_the_log_probability(engine: Engine) -> None:
    options: dict[str, Any] = {"alpha": 0.7, "filter_top_p": 0.6, "max_tokens": 10}
    for event in engine.stream("Hello", contributions=True, **options):
        assert event.contributions is not None
        assert set(event.contributions) == {*ROLES, "normaliser"}
        assert sum(event.contributions.values()) == pytest.approx(event.logprob, abs=1e-4)


def test_score_gives_the_log_probabilities_of_generate(engine: Engine) -> None:
    g = engine.generate("Hello", alpha=0.8, max_tokens=16, logprobs=True)
    score = engine.score("Hello", list(g.token_ids), alpha=0.8)
    assert score.is_greedy
    assert score.token_ids == g.token_ids
    assert score.logprobs == pytest.approx(g.logprobs, abs=1e-4)
    base = engine.score("Hello", list(g.token_ids), alpha=0.0)
    assert base.by_member["base"] == pytest.approx(base.logprobs, abs=1e-4)


def test_score_tells_the_greedy_choice_at_each_position(engine: Engine) -> None:
    ids = list(engine.generate("Hello", alpha=0.8, max_tokens=12).token_ids)
    ids[5] = (ids[5] + 1) % engine.vocab_size
    score = engine.score("Hello", ids, alpha=0.8)
    prompt = list(engine.encoder.encode("Hello", special=True))
    alone = [
        engine.generate(prompt + ids[:k], alpha=0.8, max_tokens=1).token_ids[0] for k in range(12)
    ]
    assert list(score.greedy_ids) == alone
    assert not score.is_greedy


def test_score_takes_one_pass_for_a_short_text(engine: Engine) -> None:
    before = engine.stats().members["base"].passes
    engine.score("Hello", list(range(20, 60)))
    assert engine.stats().members["base"].passes == before + 1


def test_scoring_a_text_longer_than_a_chunk_changes_nothing(trio: Any) -> None:
    from tests.conftest import open_trio

    continuation = list(range(20, 140))
    with open_trio(trio) as whole:
        in_one = whole.score("Hello", continuation)
        whole._assembly.core.scheduler.prefill_chunk = 16
        in_pieces = whole.score("Hello", continuation)
    assert in_pieces.logprobs == pytest.approx(in_one.logprobs, abs=1e-4)
    assert len(in_one.logprobs) == len(continuation)


def test_a_batch_of_scores_keeps_order(engine: Engine) -> None:
    scores = engine.score(["a", "b"], ["Paris", " is"], alpha=PerRow([0.0, 1.0]))
    singles = [engine.score("a", "Paris", alpha=0.0), engine.score("b", " is", alpha=1.0)]
    assert [s.token_ids for s in scores] == [s.token_ids for s in singles]
    for score, single in zip(scores, singles, strict=True):
        assert score.logprobs == pytest.approx(single.logprobs, abs=1e-4)


def test_set_takes_effect_at_the_index_that_it_returns(
    engine: Engine, models: dict[str, Any]
) -> None:
    with engine.stream("Hello there", alpha=0.0, max_tokens=200) as stream:
        next(stream)
        index = stream.set(alpha=1.5)
        events = list(stream)
    assert 1 <= index <= 200
    for event in events:
        assert event.mixture == Mixture(alpha=0.0 if event.index < index else 1.5)
    ids = dict.fromkeys(ROLES, engine.encoder.encode("Hello there", special=True))
    tokens = list(stream.result.token_ids)
    for at in {index - 1, index, min(index + 1, 199)} - {200}:
        alpha = 0.0 if at < index else 1.5
        slow = reference.next_log_probs(
            models, ids, tokens[:at], reference.up_scaling(alpha), engine.vocab_size
        )
        assert int(slow.argmax()) == tokens[at]


def test_options_may_come_as_objects(engine: Engine) -> None:
    as_objects = engine.generate(
        "Hello",
        mixture=Mixture(alpha=0.5),
        sampling=Sampling(max_tokens=7, temperature=0.5, seed=1),
    )
    as_keywords = engine.generate("Hello", alpha=0.5, max_tokens=7, temperature=0.5, seed=1)
    assert as_objects.token_ids == as_keywords.token_ids


def test_stop_strings_are_cut_and_never_shown(engine: Engine) -> None:
    text = engine.generate("Hello", max_tokens=20).text
    stop = text[8:11]
    cut = engine.generate("Hello", max_tokens=20, stop=stop)
    assert cut.text == text[: text.index(stop)]
    assert cut.finish_reason == "stop"
    streamed = "".join(event.text for event in engine.stream("Hello", max_tokens=20, stop=[stop]))
    assert streamed == cut.text


def test_stop_tokens_end_without_text(engine: Engine) -> None:
    free = engine.generate("Hello", max_tokens=10)
    third = free.token_ids[2]
    ended = engine.generate("Hello", max_tokens=10, stop_token_ids=[third])
    assert ended.token_ids == free.token_ids[: free.token_ids.index(third) + 1]
    assert free.text.startswith(ended.text)
    assert ended.finish_reason == "stop"


def test_logit_bias_and_penalties_change_the_choice_but_not_the_log_probability(
    engine: Engine,
) -> None:
    g = engine.generate("Hello", logit_bias={77: 100.0}, max_tokens=3, logprobs=True)
    assert g.token_ids == (77, 77, 77)
    score = engine.score("Hello", [77, 77, 77])
    assert g.logprobs == pytest.approx(score.logprobs, abs=1e-4)
    # A rival that lies half a nat behind 77 or little more, at both steps: 2 turn the second round.
    rival, least = next((k, a) for k in range(78, 400) if (a := _least_ahead(engine, 77, k)))
    biased: dict[int, float] = {77: 100.0, rival: 99.5 + least}
    plain = engine.generate("Hello", logit_bias=biased, max_tokens=2)
    assert plain.token_ids == (77, 77)
    varied = engine.generate("Hello", logit_bias=biased, presence_penalty=2.0, max_tokens=2)
    assert varied.token_ids == (77, rival)


def _least_ahead(engine: Engine, token: int, rival: int) -> float | None:
    """How far `token` is ahead of `rival` at the nearer of two steps; None if they differ much."""

    def logprob(*ids: int) -> float:
        return engine.score("Hello", list(ids)).logprobs[-1]

    ahead = logprob(token) - logprob(rival), logprob(token, token) - logprob(token, rival)
    return min(ahead) if abs(ahead[0] - ahead[1]) < 1 else None


def test_top_logprobs_are_the_best_of_the_mixture(engine: Engine) -> None:
    g = engine.generate("Hello", top_logprobs=3, max_tokens=4)
    assert g.top_logprobs is not None
    assert g.logprobs is not None
    for top, logprob, token in zip(g.top_logprobs, g.logprobs, g.token_ids, strict=True):
        assert len(top) == 3
        assert max(top, key=lambda i: top[i]) == token
        assert top[token] == pytest.approx(logprob)


def test_logprobs_are_none_unless_asked_for(engine: Engine) -> None:
    g = engine.generate("Hello", max_tokens=2)
    assert g.logprobs is None
    assert g.top_logprobs is None
    assert g.contributions is None


def test_stats_count_passes_and_time_of_every_role(engine: Engine) -> None:
    g = engine.generate("Hello", max_tokens=5, speculation="off")
    assert {role: stats.passes for role, stats in g.stats.items()} == dict.fromkeys(ROLES, 5)
    assert all(stats.seconds > 0 for stats in g.stats.values())


def test_a_batch_runs_in_shared_passes(engine: Engine) -> None:
    before = engine.stats().num_steps
    engine.generate(["Hello"] * 8, alpha=PerRow([0.1 * i for i in range(8)]), max_tokens=10)
    assert engine.stats().num_steps - before <= 12


def test_a_timeout_ends_with_the_partial_text(engine: Engine) -> None:
    g = engine.generate("Hello", max_tokens=450, timeout=0.1)
    assert g.finish_reason == "timeout"
    assert len(g.token_ids) < 450


def test_max_tokens_none_runs_to_the_end_of_the_context(engine: Engine) -> None:
    prompt = list(range(10, 500))
    g = engine.generate(prompt, max_tokens=None)
    assert g.usage.total_tokens == engine.context_len


def test_async_twins_give_the_same(engine: Engine) -> None:
    async def both() -> tuple[Generation, list[Any], Any]:
        g = await engine.agenerate("Hello", max_tokens=8, alpha=0.5)
        async with engine.astream("Hello", max_tokens=8, alpha=0.5) as stream:
            events = [event async for event in stream]
        assert stream.result.token_ids == g.token_ids
        return g, events, await engine.ascore("Hello", list(g.token_ids), alpha=0.5)

    g, events, score = asyncio.run(both())
    assert g.token_ids == engine.generate("Hello", max_tokens=8, alpha=0.5).token_ids
    assert tuple(event.token_id for event in events) == g.token_ids
    assert score.is_greedy


def test_async_set_takes_effect(engine: Engine) -> None:
    async def run() -> tuple[int, list[Any]]:
        async with engine.astream("Hello", max_tokens=100, alpha=0.0) as stream:
            await anext(stream)
            index = stream.set(alpha=1.0)
            return index, [event async for event in stream]

    index, events = asyncio.run(run())
    assert {event.mixture.alpha for event in events if event.index >= index} == {1.0}
    assert {event.mixture.alpha for event in events if event.index < index} <= {0.0}
