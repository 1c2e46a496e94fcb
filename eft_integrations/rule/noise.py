"""Gumbel noise that is a pure function of (seed, choice, index, token id).

Argmax of log p + Gumbel noise is a sample from p (Gumbel 1954; Maddison et al. 2014, arXiv
1411.0030). Noise that depends on nothing else makes a text independent of batching, and later of
what was drafted.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The finaliser of SplitMix64 (Steele, Lea and Flood 2014), in wrapping 64-bit arithmetic.
_GAMMA = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_MASK = 2**64 - 1
_UNIT = 2.0**-52


def gumbel(seed: int, choice: int, index: int, token_ids: Tensor) -> Tensor:
    """Standard Gumbel noise, float64, for ``token_ids`` int64 [K] → [K]."""
    key = _mix_int(_mix_int(_mix_int(seed) + choice) + index)
    state = token_ids * _signed(_GAMMA) + _signed(key)
    bits = _shift(_mix(state), 12)  # 52 bits: the half below is exact
    uniform = (bits.to(torch.float64) + 0.5) * _UNIT
    return -torch.log(-torch.log(uniform))


def _mix(state: Tensor) -> Tensor:
    state = (state ^ _shift(state, 30)) * _signed(_MIX_1)
    state = (state ^ _shift(state, 27)) * _signed(_MIX_2)
    return state ^ _shift(state, 31)


def _mix_int(state: int) -> int:
    state = (state + _GAMMA) & _MASK
    state = ((state ^ (state >> 30)) * _MIX_1) & _MASK
    state = ((state ^ (state >> 27)) * _MIX_2) & _MASK
    return state ^ (state >> 31)


def _shift(state: Tensor, bits: int) -> Tensor:
    """Logical shift right: torch shifts int64 with its sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """The int64 with the same bits."""
    value &= _MASK
    return value - 2**64 if value >= 2**63 else value
