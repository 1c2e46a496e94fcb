"""The small parts: stop strings, decoding, scheduling, caches, sampling filters."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from eft_integrations.engine.detokenize import Detokenizer
from eft_integrations.engine.kv import BLOCK, Pass, SlotCache, blocks
from eft_integrations.engine.placement import default_dtype
from eft_integrations.engine.sampling import adjust, choose, keep
from eft_integrations.engine.scheduler import Scheduler
from eft_integrations.engine.stopping import StopStrings
from eft_integrations.request import Sampling
from tests.engine.test_lifecycle import scripted_sequence


@pytest.mark.parametrize("text", ["abcSTOPdef", "ab", "SSTOP", "xxSTO", "aSTSTOPb", "STOP", "xEND"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_stop_strings_cut_the_same_however_text_arrives(text: str, size: int) -> None:
    stops = StopStrings(["STOP", "END"])
    shown = ""
    for start in range(0, len(text), size):
        shown += stops.push(text[start : start + size])
        assert not any(stop in shown for stop in stops.stops)
        if stops.is_done:
            break
    shown += stops.flush()
    first = min((text.find(s) for s in stops.stops if s in text), default=len(text))
    assert shown == text[:first]


def test_text_is_held_back_only_as_long_as_it_may_become_a_stop_string() -> None:
    stops = StopStrings(["STOP"])
    assert [stops.push(piece) for piece in ("a S", "T", "x", "y")] == ["a ", "", "STx", "y"]


@pytest.mark.parametrize(
    "text", ["Hello world", "naïve café", "日本語のテキスト", "🙂👩‍👩‍👧 ok", " a  b\n\nc"]
)
def test_pieces_of_text_add_up_and_half_characters_wait(tokenizer: Any, text: str) -> None:
    prompt = tokenizer.encode("Prompt:")
    detokenizer = Detokenizer(tokenizer.decode, prompt)
    pieces = [detokenizer.push(i) for i in tokenizer.encode(text)]
    assert "".join(pieces) + detokenizer.flush() == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_an_incomplete_character_at_the_end_is_flushed_as_a_replacement(tokenizer: Any) -> None:
    detokenizer = Detokenizer(tokenizer.decode, tokenizer.encode("x"))
    ids = tokenizer.encode("🙂")
    assert [detokenizer.push(i) for i in ids[:-1]] == [""] * (len(ids) - 1)
    assert detokenizer.flush() == "\ufffd"
    assert detokenizer.flush() == ""


def scheduler(max_slots: int = 3, chunk: int = 10, cells: int = 10**6) -> Scheduler:
    return Scheduler(
        max_slots=max_slots,
        prefill_chunk=chunk,
        max_logits=64,
        may_hold=lambda slots, length: slots * length <= cells,
    )


def waiting(plan: Scheduler, *prompt_lens: int, max_tokens: int = 5) -> list[Any]:
    sequences = [scripted_sequence([0] * n, max_tokens, lambda _item: None) for n in prompt_lens]
    plan.waiting.extend(sequences)
    plan.admit()
    return sequences


def test_admission_stops_at_slots_and_at_memory() -> None:
    plan = scheduler(max_slots=2)
    waiting(plan, 3, 3, 3)
    assert (len(plan.running), len(plan.waiting)) == (2, 1)
    plan = scheduler(cells=50)
    waiting(plan, 20, 3)  # two rows of 25 fit, three would not
    assert len(plan.running) == 2
    waiting(plan, 3)
    assert len(plan.running) == 2


def test_prompts_share_a_chunk_and_decoding_rows_never_wait() -> None:
    plan = scheduler(chunk=10)
    decoding, long, short = waiting(plan, 1, 25, 4)
    rows = plan.plan()
    assert [(row.sequence, row.num_fed["base"], row.num_logits) for row in rows] == [
        (decoding, 1, 1),
        (long, 10, 0),
    ]
    long.advance({"base": 20})
    rows = plan.plan()
    assert [(row.sequence, row.num_fed["base"], row.num_logits) for row in rows] == [
        (decoding, 1, 1),
        (long, 5, 1),
        (short, 4, 1),
    ]


def test_retiring_moves_the_last_row_into_the_hole() -> None:
    plan = scheduler()
    first, second, third = waiting(plan, 1, 1, 1)
    move = plan.retire(first)
    assert move is not None
    assert (move.sequence, move.source, move.target) == (third, 2, 0)
    assert plan.running == [third, second]
    assert plan.retire(second) is None


def passed(slots: list[int], positions: list[int], kv_len: int) -> Pass:
    """One token for each slot."""
    rows = torch.arange(len(slots))
    neighbours = slots == list(range(slots[0], slots[0] + len(slots)))
    return Pass(
        slots=torch.tensor(slots),
        slot=torch.tensor(slots),
        row=rows,
        column=torch.zeros_like(rows),
        position=torch.tensor(positions),
        first=slots[0] if neighbours else None,
        kv_len=kv_len,
        query_offset=kv_len - 1,
    )


def written(cache: SlotCache, slots: list[int], positions: list[int], value: float) -> torch.Tensor:
    cache.begin(passed(slots, positions, max(positions) + 1))
    new = torch.full((len(slots), 2, 1, 4), value)
    keys, _ = cache.update(new, new, 0)
    return keys


def test_a_cache_writes_each_row_at_its_own_position() -> None:
    cache = SlotCache(1, max_cells=10**6)
    cache.reserve(3, 5)
    written(cache, [0, 1, 2], [0, 1, 2], 7.0)
    keys = written(cache, [0, 2], [3, 4], 9.0)
    assert keys[:, 0, :, 0].tolist() == [[7, 0, 0, 9, 0], [0, 0, 7, 0, 9]]


def test_a_cache_grows_in_blocks_and_keeps_what_it_holds() -> None:
    cache = SlotCache(1, max_cells=10**6)
    cache.reserve(1, 3)
    written(cache, [0], [2], 7.0)
    small = cache.num_bytes
    cache.reserve(2, BLOCK + 1)
    keys = written(cache, [0, 1], [3, BLOCK], 9.0)
    assert keys[0, 0, 2, 0] == 7
    assert cache.num_bytes == small * 4 == 2 * 2 * 2 * 4 * 2 * BLOCK * 4


def test_a_cache_never_exceeds_its_budget() -> None:
    cache = SlotCache(1, max_cells=4 * BLOCK)
    cache.reserve(4, 10)
    written(cache, [0, 1, 2, 3], [0, 1, 2, 3], 7.0)
    cache.reserve(1, 4 * BLOCK)
    keys = written(cache, [0], [4 * BLOCK - 1], 9.0)
    assert keys[0, 0, 0, 0] == 7
    assert cache.num_slots * cache.capacity <= cache.max_cells


def test_a_moved_row_reads_as_before() -> None:
    cache = SlotCache(1, max_cells=10**6)
    cache.reserve(3, 5)
    written(cache, [2], [1], 7.0)
    cache.move(2, 0, 2)
    assert written(cache, [0], [2], 9.0)[0, 0, :, 0].tolist() == [0, 7, 9]


def test_blocks_round_up() -> None:
    assert [blocks(n) for n in (1, BLOCK, BLOCK + 1)] == [BLOCK, BLOCK, 2 * BLOCK]


LOG_PROBS = torch.tensor([0.5, 0.2, 0.15, 0.1, 0.05]).log()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"top_k": 2}, [0, 1]),
        ({"top_k": 99}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.6}, [0, 1]),
        ({"top_p": 0.01}, [0]),
        ({"min_p": 0.25}, [0, 1, 2]),
        ({"top_k": 3, "top_p": 0.8}, [0, 1]),
        ({"top_k": 4, "min_p": 0.35}, [0, 1]),
    ],
)
def test_filters_keep_what_they_should(options: dict[str, Any], kept: list[int]) -> None:
    sampling = Sampling(temperature=1.0, **options)
    assert keep(LOG_PROBS, sampling).nonzero()[:, 0].tolist() == kept


def test_argmax_ties_go_to_the_lowest_id() -> None:
    scores = torch.tensor([0.0, 1.0, 1.0, 1.0])
    assert int(choose(scores, Sampling(seed=0), choice=0, index=0)) == 1


@pytest.mark.parametrize("temperature", [1e-30, 1e-6])
def test_a_tiny_temperature_is_argmax(temperature: float) -> None:
    sampling = Sampling(temperature=temperature, seed=3)
    assert int(choose(LOG_PROBS, sampling, choice=0, index=0)) == 0


def test_penalties_follow_their_definitions() -> None:
    repeated = adjust(LOG_PROBS, Sampling(repetition_penalty=2.0), [0], [1])
    assert repeated[:3].tolist() == pytest.approx(
        [2 * math.log(0.5), 2 * math.log(0.2), math.log(0.15)]
    )
    sampling = Sampling(presence_penalty=0.5, frequency_penalty=0.25)
    counted = adjust(LOG_PROBS, sampling, [0], [1, 1, 2])
    assert (LOG_PROBS - counted).tolist() == pytest.approx([0, 1.0, 0.75, 0, 0])


def test_the_default_dtype_follows_the_processor() -> None:
    assert default_dtype("cpu", {"avx512_bf16": True}) == "bfloat16"
    assert default_dtype("cpu", {"amx_bf16": True}) == "bfloat16"
    assert default_dtype("cpu", {"avx2": True}) == "float32"
    assert default_dtype("cuda", {}) == "auto"
