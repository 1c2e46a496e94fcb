"""How far a step drafts: as far as gives most tokens a second, all its rows together. No torch.

Rows share passes, so a length of one's own would cost the others: columns to pad, or a pass more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from statistics import median

from eft_integrations.engine.pace import Pace

# So many lengths in a row that are no better than the best end the search.
_PATIENCE = 3
_ENOUGH, _KEPT = 3, 15


@dataclass(frozen=True, kw_only=True)
class Bid:
    """What a row could draft: ``limit`` tokens, each of which is kept with ``chance``.

    ``writer``: the role that passes once for each token of it, or none where the draft is there
    already. ``roles`` predict. With a limit of 0 a row takes no part.
    """

    roles: Collection[str]
    limit: int = 0
    chance: float = 0.0
    writer: str | None = None

    def expected(self, length: int) -> float:
        """Tokens that the row is expected to get in the step."""
        count = min(length, self.limit) + 1
        kept = self.chance
        return float(count) if kept >= 1.0 else (1.0 - kept**count) / (1.0 - kept)


class Costs:
    """Seconds of a step, by how far each row drafts, from the times of passes."""

    def __init__(self, paces: Mapping[str, Pace]) -> None:
        self._paces = paces
        self._found: dict[tuple[str, int], float] = {}

    @property
    def are_known(self) -> bool:
        """Whether every role was timed."""
        return all(pace.seconds(1) for pace in self._paces.values())

    def step(self, bids: Seq[Bid], length: int) -> float:
        """All rows draft ``length`` tokens, or their limit."""
        lengths = [min(bid.limit, length) for bid in bids]
        pairs = list(zip(bids, lengths, strict=True))
        return sum(self._role(role, pairs) for role in self._paces)

    def seconds(self, role: str, num_tokens: int) -> float:
        """One pass of a role over so many tokens."""
        key = role, num_tokens
        if key not in self._found:
            self._found[key] = max(self._paces[role].seconds(num_tokens) or 0.0, 1e-9)
        return self._found[key]

    def _role(self, role: str, pairs: Seq[tuple[Bid, int]]) -> float:
        """It writes what it drafts, token by token, and checks what others drafted at once."""
        written = [length for bid, length in pairs if length and bid.writer == role]
        writing = sum(
            self.seconds(role, sum(length >= k for length in written))
            for k in range(max(written, default=-1) + 1)
        )
        checked = [
            length
            for bid, length in pairs
            if role in bid.roles and not (length and bid.writer == role)
        ]
        return writing + self._checking(role, checked)

    def _checking(self, role: str, lengths: Seq[int]) -> float:
        """One pass, padded, or one more for the rows without a draft."""
        if not lengths:
            return 0.0
        width, plain = max(lengths) + 1, lengths.count(0)
        whole = self.seconds(role, width * len(lengths))
        if plain in (0, len(lengths)):
            return whole
        apart = self.seconds(role, width * (len(lengths) - plain)) + self.seconds(role, plain)
        return min(whole, apart)


class Scale:
    """What steps take beside their passes, as a factor: 1 until some were measured."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_KEPT)

    def note(self, passes: float, whole: float) -> None:
        """A step took so many seconds, and its passes so many of them."""
        self._ratios.append(whole / passes)

    @property
    def value(self) -> float:
        return median(self._ratios) if len(self._ratios) >= _ENOUGH else 1.0


def best_length(bids: Seq[Bid], costs: Costs, *, drafted: Scale, plain: Scale) -> int:
    """How far to draft; 0 where that pays most. Scales of steps with drafts and without."""
    best, best_rate = 0, rate(bids, 0, costs) / plain.value
    for length in range(1, max(bid.limit for bid in bids) + 1):
        found = rate(bids, length, costs) / drafted.value
        if found > best_rate:
            best, best_rate = length, found
        elif length - best >= _PATIENCE:
            break
    return best


def rate(bids: Seq[Bid], length: int, costs: Costs) -> float:
    """Tokens a second of the rows together."""
    return sum(bid.expected(length) for bid in bids) / costs.step(bids, length)
