"""One vocabulary for all members: compare tokenizers token by token, cut padded heads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from eft_integrations.errors import VocabularyMismatch

_SHOWN = 3


@dataclass(frozen=True)
class SharedVocabulary:
    """Ids 0 … ``size`` − 1 mean the same token in every member; ``cut`` says what was left out."""

    size: int
    cut: tuple[str, ...]

    @classmethod
    def of(
        cls,
        tokenizers: Mapping[str, Mapping[str, int]],
        heads: Mapping[str, int],
        needed: Collection[int],
    ) -> SharedVocabulary:
        """Compare the tokenizers (role → token → id) and cut the heads (role → width).

        ``needed``: ids that end tokens and templates use; cutting one of them is refused.
        Raises ``VocabularyMismatch`` with the first differing tokens, the sizes and the remedy.
        """
        tokens = {role: _by_id(vocabulary) for role, vocabulary in tokenizers.items()}
        _refuse_difference(tokens)
        size = min([max(ids, default=-1) + 1 for ids in tokens.values()] + list(heads.values()))
        _refuse_cut(tokens, size, needed)
        return cls(size=size, cut=tuple(_what_is_cut(tokens, heads, size)))


def _by_id(vocabulary: Mapping[str, int]) -> dict[int, str]:
    return {token_id: token for token, token_id in vocabulary.items()}


def _refuse_difference(tokens: Mapping[str, Mapping[int, str]]) -> None:
    """One id, two tokens: the sum of two log-probabilities would add apples to pears."""
    (first, ours), *others = tokens.items()
    for role, theirs in others:
        differing = [i for i in sorted(ours.keys() & theirs.keys()) if ours[i] != theirs[i]]
        if differing:
            shown = ", ".join(f"id {i}: {ours[i]!r} / {theirs[i]!r}" for i in differing[:_SHOWN])
            raise VocabularyMismatch(
                f"members {first!r} and {role!r} differ in {len(differing)} token(s) ({shown}; "
                f"sizes {len(ours)} / {len(theirs)}); use models of one family that share their "
                f"tokenizer"
            )


def _refuse_cut(
    tokens: Mapping[str, Mapping[int, str]], size: int, needed: Collection[int]
) -> None:
    lost = sorted(token_id for token_id in needed if token_id >= size)
    if lost:
        owners = [role for role, ids in tokens.items() if lost[0] in ids]
        names = ", ".join(repr(tokens[owners[0]][i]) if owners else str(i) for i in lost[:_SHOWN])
        sizes = ", ".join(f"{role} {len(ids)}" for role, ids in tokens.items())
        raise VocabularyMismatch(
            f"an end token or chat template of {', '.join(owners) or 'some'} needs {names}, but "
            f"only ids below {size} are shared by all (sizes: {sizes}); use a tuned model that "
            f"added no tokens to its reference's vocabulary"
        )


def _what_is_cut(
    tokens: Mapping[str, Mapping[int, str]], heads: Mapping[str, int], size: int
) -> list[str]:
    wide = [f"head of {role} cut from {w} to {size}" for role, w in heads.items() if w > size]
    extra = [
        f"{num} extra id(s) of {role} cut"
        for role, ids in tokens.items()
        if (num := sum(token_id >= size for token_id in ids))
    ]
    return wide + extra
