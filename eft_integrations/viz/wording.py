"""How speakers and numbers are called and coloured, in the terminal and on the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eft_integrations.mixture import BASE, Mixture
from eft_integrations.viz.measure import COMMON, MIXTURE, NOBODY
from eft_integrations.viz.record import Trace

# Okabe and Ito's palette, which the colour-blind can tell apart.
_BASE_COLOUR = "#0072b2"
_TUNED_COLOURS = ("#e69f00", "#009e73", "#56b4e9", "#d55e00")
_MIXTURE_COLOUR = "#cc79a7"
_GREY = "#8a8a8a"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A speaker: its colour as ``#rrggbb``, and what is meant by it."""

    name: str
    colour: str
    meaning: str


def voices(trace: Trace) -> dict[str, Voice]:
    """All speakers of a trace, in the order of its legend."""
    found = [
        Voice(name=COMMON, colour=_GREY, meaning=_common(trace)),
        Voice(name=BASE, colour=_BASE_COLOUR, meaning="the base's knowledge"),
    ]
    for number, name in enumerate(trace.tuned):
        colour = _TUNED_COLOURS[number % len(_TUNED_COLOURS)]
        found.append(Voice(name=name, colour=colour, meaning=_manner(name)))
    found.append(
        Voice(name=MIXTURE, colour=_MIXTURE_COLOUR, meaning="neither alone, but their sum")
    )
    found.append(Voice(name=NOBODY, colour=_GREY, meaning="under 1 % for all of them"))
    return {voice.name: voice for voice in found}


def _common(trace: Trace) -> str:
    return "base and tuned agree" if len(trace.tuned) < 2 else "base and a tuned member agree"


def _manner(name: str) -> str:
    return "the tuned member's manner" if name == "tuned" else f"the manner of {name}"


def percent(logprob: float) -> str:
    """A probability: ``83 %``, ``2.1 %``, ``0.04 %``, ``10⁻⁷``."""
    probability = math.exp(logprob)
    if probability >= 0.9995:
        return "100 %"
    if probability >= 0.1:
        return f"{100 * probability:.0f} %" if probability < 0.985 else f"{100 * probability:.1f} %"
    if probability >= 0.001:
        return f"{100 * probability:.1f} %"
    if probability >= 0.00001:
        return f"{100 * probability:.1g} %"
    return "0" if math.isinf(logprob) else _power(logprob)


def factor(shift: float) -> str:
    """How many times as likely as under the base: ``×1.0``, ``×19``, ``÷3.2``, ``×10⁶``."""
    if math.isinf(shift):
        return "÷∞" if shift < 0 else "×∞"
    sign = "×" if shift >= -0.05 else "÷"
    size = abs(shift) if sign == "÷" else shift
    if size >= math.log(9999.5):
        return sign + _power(size)
    times = math.exp(size)
    return f"{sign}{times:.0f}" if times >= 9.95 else f"{sign}{times:.1f}"


def signed(number: float) -> str:
    """``+2.93``, ``−0.05``, ``−∞``."""
    return f"{number:+.2f}".replace("-", "−").replace("inf", "∞")


def _power(logarithm: float) -> str:
    exponent = round(logarithm / math.log(10))
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def spelled(mixture: Mixture) -> str:
    """A mixture in a few words: ``alpha 1``, ``helpful 0.7, harmless 0.3``."""
    parts = []
    if isinstance(mixture.alpha, (int, float)):
        parts.append(f"alpha {mixture.alpha:g}")
    elif mixture.alpha is not None:
        parts.extend(f"alpha of {name} {value:.3g}" for name, value in mixture.alpha.items())
    if mixture.beta is not None:
        parts.append(f"beta {mixture.beta:g}")
    if mixture.weights is not None:
        parts.extend(f"{role} {value:+.3g}" for role, value in mixture.weights.items())
    if mixture.filter_top_p is not None:
        parts.append(f"filter at top-p {mixture.filter_top_p:g}")
    if mixture.mask is not None:
        parts.append(f"tokens plausible to {mixture.mask.role}")
    return ", ".join(parts)
