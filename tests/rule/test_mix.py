"""Theorems of the rule."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from eft_integrations import Mixture, Plausibility
from eft_integrations.errors import InvalidRequest, UnknownOption
from eft_integrations.mixture import Roles, resolve
from eft_integrations.rule import Mixed, combine, contributions, log_probabilities, nucleus

SIZE = 50
ROLES = Roles(
    tuned=("tuned",), reference_of={"tuned": "reference"}, available=("base", "tuned", "reference")
)
TWO = Roles(
    tuned=("helpful", "harmless"),
    reference_of={"helpful": "reference", "harmless": "reference"},
    available=("base", "helpful", "harmless", "reference"),
)


def members(roles: Roles = ROLES, rows: int = 3, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        role: log_probabilities(3 * torch.randn(rows, SIZE, generator=generator))
        for role in roles.available
    }


def mixed(log_probs: Mapping[str, Tensor], mixture: Mixture, roles: Roles = ROLES) -> Mixed:
    rows = len(next(iter(log_probs.values())))
    return combine(log_probs, [resolve(mixture, roles)] * rows)


def close(left: Tensor, right: Tensor) -> bool:
    return torch.allclose(left, right, atol=1e-4)


def test_alpha_zero_is_the_base_model() -> None:
    given = members()
    assert close(mixed(given, Mixture(alpha=0.0)).log_probs, given["base"])


@pytest.mark.parametrize("alpha", [-1.0, 0.3, 1.0, 2.5])
def test_equal_tuned_and_reference_give_the_base_model_for_every_alpha(alpha: float) -> None:
    given = members()
    given["reference"] = given["tuned"]
    assert close(mixed(given, Mixture(alpha=alpha)).log_probs, given["base"])


def test_equal_base_and_reference_give_the_tuned_model_at_alpha_one() -> None:
    given = members()
    given["reference"] = given["base"]
    assert close(mixed(given, Mixture(alpha=1.0)).log_probs, given["tuned"])


def test_alpha_and_beta_agree_at_one_and_only_there() -> None:
    given = members()
    alpha, beta = (mixed(given, m).log_probs for m in (Mixture(alpha=1.0), Mixture(beta=1.0)))
    assert close(alpha, beta)
    alpha, beta = (mixed(given, m).log_probs for m in (Mixture(alpha=1.5), Mixture(beta=1.5)))
    assert not close(alpha, beta)


def test_weights_express_alpha_and_beta() -> None:
    given = members()
    as_weights = Mixture(weights={"base": 1.0, "tuned": 0.7, "reference": -0.7})
    assert close(mixed(given, as_weights).log_probs, mixed(given, Mixture(alpha=0.7)).log_probs)
    as_weights = Mixture(weights={"base": 1.4, "tuned": 1.0, "reference": -1.4})
    assert close(mixed(given, as_weights).log_probs, mixed(given, Mixture(beta=1.4)).log_probs)


def test_two_tuned_members_share_one_reference() -> None:
    given = members(TWO)
    mixture = Mixture(alpha={"helpful": 0.7, "harmless": 0.3})
    by_hand = (
        given["base"] + 0.7 * given["helpful"] + 0.3 * given["harmless"] - given["reference"]
    ).log_softmax(-1)
    assert close(mixed(given, mixture, TWO).log_probs, by_hand)


def test_omitted_names_of_alpha_are_zero() -> None:
    given = members(TWO)
    left = mixed(given, Mixture(alpha={"helpful": 0.7}), TWO).log_probs
    right = mixed(given, Mixture(alpha={"helpful": 0.7, "harmless": 0.0}), TWO).log_probs
    assert torch.equal(left, right)


def test_rows_of_one_batch_have_their_own_terms() -> None:
    given = members()
    terms = [resolve(Mixture(alpha=a), ROLES) for a in (0.0, 1.0)]
    terms.append(resolve(Mixture(beta=1.5, filter_top_p=0.8), ROLES))
    together = combine(given, terms).log_probs
    for row, term in enumerate(terms):
        alone = combine({role: v[row : row + 1] for role, v in given.items()}, [term])
        assert torch.allclose(together[row], alone.log_probs[0], atol=1e-6)


@pytest.mark.parametrize(
    "mixture",
    [
        Mixture(alpha=0.8),
        Mixture(alpha=-0.5, filter_top_p=0.5),
        Mixture(beta=1.5, filter_top_p=0.9),
        Mixture(alpha=1.2, filter_top_p=0.7, mask=Plausibility(role="base", min_ratio=0.05)),
        Mixture(
            weights={"base": 2.0, "reference": -1.0}, mask=Plausibility(role="base", top_p=0.8)
        ),
    ],
)
def test_contributions_add_up_to_the_log_probability(mixture: Mixture) -> None:
    given = members()
    result = mixed(given, mixture)
    allowed = [int(t) for t in (result.log_probs[1] > -torch.inf).nonzero()[:, 0]]
    for token in allowed:
        parts = contributions(given, resolve(mixture, ROLES), result, 1, token)
        assert sum(parts.values()) == pytest.approx(float(result.log_probs[1, token]), abs=1e-4)


def test_a_filter_that_keeps_everything_is_no_filter() -> None:
    given = members()
    unfiltered = mixed(given, Mixture(alpha=0.6)).log_probs
    assert torch.equal(mixed(given, Mixture(alpha=0.6, filter_top_p=1.0)).log_probs, unfiltered)


def test_outside_the_nucleus_alpha_one_is_tuned_and_alpha_zero_is_base() -> None:
    given = members()
    outside = ~nucleus(given["tuned"], torch.full((3,), 0.5))
    for alpha, role in ((1.0, "tuned"), (0.0, "base")):
        result = mixed(given, Mixture(alpha=alpha, filter_top_p=0.5))
        unnormalised = result.log_probs - result.normaliser[:, None]
        assert close(unnormalised[outside], given[role][outside])


def test_outside_the_nucleus_the_beta_form_is_the_tuned_model() -> None:
    given = members()
    outside = ~nucleus(given["tuned"], torch.full((3,), 0.5))
    result = mixed(given, Mixture(beta=1.8, filter_top_p=0.5))
    unnormalised = result.log_probs - result.normaliser[:, None]
    assert close(unnormalised[outside], given["tuned"][outside])


def test_inside_the_nucleus_the_filter_changes_only_the_normaliser() -> None:
    given = members()
    inside = nucleus(given["tuned"], torch.full((3,), 0.5))
    plain, filtered = (mixed(given, Mixture(alpha=1.0, filter_top_p=p)) for p in (None, 0.5))
    left, right = (m.log_probs - m.normaliser[:, None] for m in (plain, filtered))
    assert close(left[inside], right[inside])


def test_the_plausibility_mask_forbids_what_its_member_finds_implausible() -> None:
    given = members()
    mask = Plausibility(role="base", min_ratio=0.1)
    result = mixed(given, Mixture(alpha=1.0, mask=mask)).log_probs
    kept = given["base"].exp() >= 0.1 * given["base"].exp().max(-1, keepdim=True).values
    assert torch.equal(result > -torch.inf, kept)
    assert torch.allclose(result.exp().sum(-1), torch.ones(3), atol=1e-5)


def test_a_member_that_forbids_a_token_makes_no_nan() -> None:
    logits = torch.zeros(1, SIZE)
    logits[0, 7] = -torch.inf
    given = {role: log_probabilities(logits) for role in ROLES.available}
    assert torch.isfinite(mixed(given, Mixture(alpha=0.0)).log_probs).all()


def test_every_mixture_is_normalised() -> None:
    for seed, mixture in enumerate((Mixture(alpha=2.0), Mixture(beta=-1.0), Mixture(alpha=-2.0))):
        total = mixed(members(seed=seed), mixture).log_probs.exp().sum(-1)
        assert torch.allclose(total, torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("mixture", "roles", "says"),
    [
        (Mixture(alpha=1.0), TWO, "ambiguous with 2 tuned"),
        (Mixture(beta=1.0), TWO, "exactly one tuned"),
        (
            Mixture(alpha=1.0),
            Roles(tuned=("tuned",), reference_of=ROLES.reference_of, available=("base",)),
            "has only base",
        ),
    ],
)
def test_a_form_that_the_members_cannot_serve_is_refused(
    mixture: Mixture, roles: Roles, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        resolve(mixture, roles)


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'helpful'"):
        resolve(Mixture(alpha={"helpfull": 1.0}), TWO)
    with pytest.raises(UnknownOption, match="did you mean 'reference'"):
        resolve(Mixture(weights={"referense": 1.0}), ROLES)


def test_the_default_of_several_tuned_members_is_their_mean() -> None:
    assert TWO.default().alpha == {"helpful": 0.5, "harmless": 0.5}
    assert ROLES.default().alpha == 1.0
