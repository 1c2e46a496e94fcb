"""One engine, small on purpose: what it writes is what the naive loop writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eft_integrations import Mixture, Plausibility
from eft_integrations.wire import to_wire
from tests.conftest import save_trio
from tests.reference import generate, next_log_probs, up_scaling
from tests.vllm.asking import ALPHAS, counted, naive, opened, prompts, trio_configs, written

FORMS = [
    Mixture(beta=1.4),
    Mixture(weights={"base": 2.0, "reference": -0.8}),
    Mixture(alpha=1.2, filter_top_p=0.5),
    Mixture(beta=1.5, filter_top_p=0.8),
    Mixture(alpha=1.0, mask=Plausibility(role="base", min_ratio=0.2)),
    Mixture(alpha=1.5, filter_top_p=0.6, mask=Plausibility(role="tuned", top_p=0.5)),
    Mixture(filter_top_p=0.3),
    Mixture(),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("batch")
    return folder, save_trio(folder, tokenizer, trio_configs(tokenizer))


@pytest.fixture(scope="module")
def models(made: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return made[1]


@pytest.fixture(scope="module")
def model(made: tuple[Path, dict[str, Any]]) -> Iterator[Any]:
    """A budget of 64 tokens cuts prompts into chunks; 14 blocks of 32 are soon too few."""
    small = {"max_num_batched_tokens": 64, "block_size": 32, "num_gpu_blocks_override": 14}
    with opened(made[0], **small, max_model_len=256) as opened_model:
        yield opened_model


def test_every_alpha_of_one_batch_is_the_naive_loop(
    model: Any, models: dict[str, Any], tokenizer: Any
) -> None:
    asked = prompts(len(ALPHAS), 5)
    found = written(model, asked, [Mixture(alpha=alpha) for alpha in ALPHAS], 24)
    for ids, alpha, output in zip(asked, ALPHAS, found, strict=True):
        every = dict.fromkeys(models, ids)
        naive_one = generate(models, every, up_scaling(alpha), max_tokens=24, size=len(tokenizer))
        assert output == naive_one.token_ids, f"alpha {alpha}"


def test_one_prompt_has_an_answer_for_every_alpha(model: Any, models: dict[str, Any]) -> None:
    found = written(model, prompts(1, 5) * 8, [Mixture(alpha=alpha) for alpha in ALPHAS], 24)
    assert len({tuple(output) for output in found}) >= 7


def test_filters_masks_and_forms_share_a_batch_with_plain_rows(
    model: Any, models: dict[str, Any], tokenizer: Any
) -> None:
    asked = prompts(len(FORMS), 6, first=5)
    found = written(model, asked, FORMS, 16)
    for ids, mixture, output in zip(asked, FORMS, found, strict=True):
        assert output == naive(models, ids, mixture, 16, size=len(tokenizer)), mixture


def test_chunked_prompts_and_preemption_change_no_token(
    model: Any, models: dict[str, Any], tokenizer: Any
) -> None:
    asked = prompts(12, 100)
    mixtures = [Mixture(alpha=alpha) for alpha in (*ALPHAS, *ALPHAS[:4])]
    found = written(model, asked, mixtures, 40)
    assert counted(model, "vllm:num_preemptions") > 0
    for ids, mixture, output in zip(asked, mixtures, found, strict=True):
        assert output == naive(models, ids, mixture, 40, size=len(tokenizer)), mixture


def test_what_is_cached_serves_every_alpha(
    model: Any, models: dict[str, Any], tokenizer: Any
) -> None:
    asked = prompts(2, 100, first=3)
    for alphas in ([0.3, 1.5], [1.5, 0.3]):
        found = written(model, asked, [Mixture(alpha=alpha) for alpha in alphas], 12)
        for ids, alpha, output in zip(asked, alphas, found, strict=True):
            assert output == naive(models, ids, Mixture(alpha=alpha), 12, size=len(tokenizer))
    assert counted(model, "vllm:prefix_cache_hits") > 0


def test_log_probabilities_are_those_of_the_mixture(
    model: Any, models: dict[str, Any], tokenizer: Any
) -> None:
    from vllm import SamplingParams

    ids = prompts(1, 12)[0]
    params = SamplingParams(max_tokens=1, prompt_logprobs=0, extra_args=to_wire(Mixture(alpha=0.7)))
    told = model.generate([{"prompt_token_ids": ids}], params, use_tqdm=False)[0].prompt_logprobs
    for place in range(1, len(ids)):
        every = dict.fromkeys(models, ids[:place])
        wanted = next_log_probs(models, every, [], up_scaling(0.7), len(tokenizer))
        assert told[place][ids[place]].logprob == pytest.approx(float(wanted[ids[place]]), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"eft_alpha": "much"}, "eft_alpha must be a number"),
        ({"eft_alpha": {"helpful": 1.0}}, "unknown tuned member in alpha 'helpful'"),
        ({"eft_alpah": 1.0}, "did you mean 'eft_alpha'"),
    ],
)
def test_bad_coefficients_are_refused_and_the_engine_goes_on(
    model: Any, arguments: dict[str, Any], says: str
) -> None:
    from vllm import SamplingParams
    from vllm.exceptions import VLLMValidationError

    with pytest.raises(VLLMValidationError, match=says):
        model.generate(
            [{"prompt_token_ids": [20]}], SamplingParams(extra_args=arguments), use_tqdm=False
        )
    assert written(model, [[20]], [Mixture(alpha=1.0)], 1)


def test_no_padding_is_ever_written(model: Any, tokenizer: Any) -> None:
    found = written(model, prompts(4, 4), [Mixture(alpha=alpha) for alpha in (-2, 0, 1, 3)], 30)
    assert max(max(output) for output in found) < len(tokenizer)
