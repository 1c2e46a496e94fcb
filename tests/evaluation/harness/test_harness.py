"""The model of lm-evaluation-harness against the harness's own model."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.model import CachingLM
from lm_eval.models.huggingface import HFLM
from tokenizers.processors import TemplateProcessing

from eft_integrations import Engine
from eft_integrations.chat import render
from eft_integrations.evaluation.harness import EFTLM
from eft_integrations.tiny import member_path
from tests.evaluation.harness.requests import LONG, ask

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


def same_pairs(got: list[tuple[float, bool]], wanted: list[tuple[float, bool]]) -> None:
    assert [p for p, _ in got] == pytest.approx([p for p, _ in wanted], abs=1e-4)
    assert [is_greedy for _, is_greedy in got] == [is_greedy for _, is_greedy in wanted]


def with_bos(model: Path, tokenizer: Any, folder: Path) -> str:
    """A copy of a model whose tokenizer puts a BOS before every text."""
    shutil.copytree(model, folder)
    changed = copy.deepcopy(tokenizer)
    changed.bos_token = "<|im_start|>"
    begin = ("<|im_start|>", changed.bos_token_id)
    changed.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[begin]
    )
    changed.save_pretrained(folder)
    return str(folder)


# What is equal to what.


def test_alpha_zero_scores_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("loglikelihood", *PAIRS)
    same_pairs(lm.loglikelihood(requests), hf.loglikelihood(requests))


def test_greedy_texts_are_greedy() -> None:
    """Of trained weights: what random ones write is spelt by other tokens when it is read again."""
    context, base = "The capital of France is", str(member_path("base"))
    with Engine.tiny() as family:
        lm = EFTLM(engine=family, alpha=0.0)
        (text,) = lm.generate_until(ask("generate_until", (context, {"max_gen_toks": 5})))
        requests = ask("loglikelihood", (context, text), (context, text + "!"))
        answers = lm.loglikelihood(requests)
        hf = HFLM(base, dtype="float32", device="cpu", batch_size=2, max_length=lm.max_length)
    assert answers[0][1]
    same_pairs(answers, hf.loglikelihood(requests))


def test_alpha_zero_rolls_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("loglikelihood_rolling", *[(text,) for text in TEXTS])
    wanted = hf.loglikelihood_rolling(requests)
    assert lm.loglikelihood_rolling(requests) == pytest.approx(wanted, abs=1e-3, rel=1e-6)


def test_alpha_zero_writes_as_the_harness_model_of_base(lm: EFTLM, hf: Any) -> None:
    requests = ask("generate_until", *WRITING)
    assert lm.generate_until(requests) == hf.generate_until(requests)


def test_a_default_bos_is_placed_as_the_harness_places_it(
    trio: Path, tokenizer: Any, tmp_path: Path
) -> None:
    folder = with_bos(trio / "base", tokenizer, tmp_path / "base")
    hf = HFLM(folder, dtype="float32", device="cpu", max_length=100)
    lm = EFTLM(base=folder, dtype="float32", alpha=0.0, max_length=100)
    assert lm.tok_encode("Rome")[0] == lm.prefix_token_id == hf.prefix_token_id
    begun = [("<|im_start|>The capital", " is"), ("<|im_start|>", "Rome"), ("", "<|im_start|>Rome")]
    requests = ask("loglikelihood", *PAIRS[:6], *begun)
    same_pairs(lm.loglikelihood(requests), hf.loglikelihood(requests))
    texts = ask("loglikelihood_rolling", *[(text,) for text in TEXTS], ("<|im_start|>Rome",))
    wanted = hf.loglikelihood_rolling(texts)
    assert lm.loglikelihood_rolling(texts) == pytest.approx(wanted, abs=1e-3, rel=1e-6)
    writing = ask("generate_until", *WRITING, ("", {"max_gen_toks": 3}))
    assert lm.generate_until(writing) == hf.generate_until(writing)
    lm.engine.close()


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
    kinds: dict[str, list[Any]] = {"loglikelihood": PAIRS, "loglikelihood_rolling": [("Rome",)]}
    first = [getattr(cached, kind)(ask(kind, *rows)) for kind, rows in kinds.items()]
    num_steps = lm.engine.stats().num_steps
    assert [getattr(cached, kind)(ask(kind, *rows)) for kind, rows in kinds.items()] == first
    assert lm.engine.stats().num_steps == num_steps
    cached.dbdict.close()


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
