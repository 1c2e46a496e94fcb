"""Terms as numbers in a table say what they said."""

from __future__ import annotations

import pytest
import torch

from eft_integrations import Mixture, Plausibility
from eft_integrations.mixture import Terms, resolve
from eft_integrations.rule import Layout, combine, mix
from tests.rule.test_mix import ROLES, TWO, members

ROWS = [
    Mixture(alpha={"helpful": 0.7, "harmless": -0.3}),
    Mixture(alpha={"helpful": 1.5}, filter_top_p=0.5),
    Mixture(alpha={"harmless": 0.4, "helpful": 0.2}, filter_top_p=0.9),
    Mixture(weights={"base": 2.0, "reference": -1.0}, mask=Plausibility(role="base", top_p=0.8)),
    Mixture(alpha={}, mask=Plausibility(role="helpful", min_ratio=0.05)),
    Mixture(alpha={"helpful": 1.0}, filter_top_p=0.3, mask=Plausibility(min_ratio=0.2)),
]
TERMS = [resolve(mixture, TWO) for mixture in ROWS]


def through_a_table(terms: list[Terms], rows: int) -> torch.Tensor:
    layout = Layout(TWO)
    table = torch.tensor([layout.row(one) for one in terms])
    extras = frozenset[tuple[str, str]]().union(*(layout.extras(one) for one in terms))
    scores, _ = mix(members(TWO, rows=rows), layout.columns(table, extras))
    return scores.log_softmax(-1)


def test_a_table_mixes_as_the_terms_do() -> None:
    expected = combine(members(TWO, rows=len(TERMS)), TERMS).log_probs
    assert torch.allclose(through_a_table(TERMS, len(TERMS)), expected, atol=1e-5)


def test_what_a_neighbour_uses_leaves_a_row_as_it_is() -> None:
    plain = [resolve(Mixture(alpha={"helpful": 0.7}), TWO)] * len(TERMS)
    alone = through_a_table(plain, len(TERMS))
    beside = through_a_table([plain[0], *TERMS[1:]], len(TERMS))
    assert torch.equal(alone[0], beside[0])


@pytest.mark.parametrize("alpha", [0.0, -1.5, 1000.0])
def test_rows_without_filters_or_masks_mix_logits_as_they_mix_log_probabilities(
    alpha: float,
) -> None:
    layout = Layout(ROLES)
    terms = resolve(Mixture(alpha=alpha), ROLES)
    assert not layout.extras(terms)
    columns = layout.columns(torch.tensor([layout.row(terms)] * 3), ())
    logits = {role: one + torch.randn(3, 1) for role, one in members().items()}
    scores, _ = mix(logits, columns)
    expected = combine(members(), [terms] * 3).log_probs
    assert torch.allclose(scores.log_softmax(-1), expected, atol=1e-2 if alpha > 2 else 1e-5)
