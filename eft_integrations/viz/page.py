"""A trace as one self-contained page: no script, nothing fetched, everything escaped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eft_integrations.mixture import BASE
from eft_integrations.viz import strip
from eft_integrations.viz.measure import COMMON, MIXTURE, NOBODY
from eft_integrations.viz.pieces import END_SIGN, shown
from eft_integrations.viz.record import Alternative, TokenTrace, Trace
from eft_integrations.viz.wording import Voice, factor, percent, signed, spelled, voices

_PART_SIGN = "◦"  # bytes of a character that is not complete yet
_LEAST_SHARE = 0.005


def html(trace: Trace, *, title: str = "Who said each token?") -> str:
    """The page, for a file of its own.

    The answer in the speakers' colours; pointing at a token or tabbing to it shows its
    probabilities, contributions and alternatives. Below it the shift of each token from the base,
    and all numbers as a table, for print and screen readers.
    """
    known = list(voices(trace).values())
    hues = {voice.name: number for number, voice in enumerate(known)}
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=shown(title),
            trace=trace,
            mixture=spelled(trace.mixture),
            voices=known,
            legend=[_Segment.of(voice, trace.shares[voice.name], hues) for voice in _told(trace)],
            tokens=[_view(trace, token, hues) for token in trace.tokens],
            roles=list(trace.coefficients),
            wholes=list(_wholes(trace)),
            scale=strip.Scale.of([token.shift for token in trace.tokens]),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A speaker's piece of a stacked bar; ``hue`` numbers its colour, ``width`` in per cent."""

    name: str
    meaning: str
    hue: int
    width: float

    @classmethod
    def of(cls, voice: Voice, share: float, hues: Mapping[str, int]) -> _Segment:
        return cls(name=voice.name, meaning=voice.meaning, hue=hues[voice.name], width=100 * share)


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """A probability by name; ``hue`` is None where it belongs to no speaker."""

    name: str
    told: str
    width: float
    hue: int | None = None
    is_chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """The whole answer under one role: log-probability, and the geometric mean of its tokens'."""

    name: str
    total: str
    mean: str
    width: float
    hue: int | None


@dataclass(frozen=True, kw_only=True)
class _View:
    """One token as the template reads it.

    Its text is ``lead``, spaces that are not coloured, and ``lines``; where there is none, ``sign``
    stands for it. ``gradient`` is a CSS value.
    """

    token: TokenTrace
    lead: str
    lines: list[str]
    sign: str
    hue: int
    strength: float
    gradient: str
    shares: list[_Segment]
    chances: list[_Bar]
    alternatives: list[_Bar]
    parts: list[tuple[str, str]]
    factor: str
    shift: str
    logprob: str
    instead: str


def _told(trace: Trace) -> Iterator[Voice]:
    """The legend: who has a share, and the members always."""
    for voice in voices(trace).values():
        is_member = voice.name in (COMMON, BASE, *trace.tuned)
        if is_member or trace.shares[voice.name] >= _LEAST_SHARE:
            yield voice


def _view(trace: Trace, token: TokenTrace, hues: Mapping[str, int]) -> _View:
    said = [
        _Segment.of(voice, token.shares[voice.name], hues)
        for voice in voices(trace).values()
        if token.shares.get(voice.name, 0.0) >= _LEAST_SHARE
    ]
    text = shown(token.text)
    word = text.lstrip(" ") or text
    return _View(
        token=token,
        lead=text[: len(text) - len(word)],
        lines=word.split("\n"),
        sign="" if token.text else END_SIGN if token.is_control else _PART_SIGN,
        hue=hues[token.speaker],
        strength=token.strength,
        gradient=_gradient(said),
        shares=said,
        chances=list(_chances(trace, token, hues)),
        alternatives=[_alternative(other, token) for other in token.alternatives],
        parts=[(name, signed(value)) for name, value in token.contributions.items()],
        factor=factor(token.shift),
        shift=signed(token.shift),
        logprob=signed(token.logprob),
        instead=percent(token.instead.logprob) if token.instead else "",
    )


def _gradient(segments: list[_Segment]) -> str:
    """Hard stops, one colour a share; what is common has no line."""
    stops, start = [], 0.0
    for segment in segments:
        end = start + segment.width
        colour = "transparent" if segment.name in (COMMON, NOBODY) else f"var(--v{segment.hue})"
        stops.append(f"{colour} {start:.1f}% {end:.1f}%")
        start = end
    return f"linear-gradient(90deg, {', '.join(stops)})"


def _chances(trace: Trace, token: TokenTrace, hues: Mapping[str, int]) -> Iterator[_Bar]:
    yield _bar(MIXTURE, token.logprob, hues[MIXTURE])
    for role in trace.coefficients:
        yield _bar(role, token.by_role[role], hues.get(role))


def _bar(name: str, logprob: float, hue: int | None) -> _Bar:
    return _Bar(name=name, told=percent(logprob), width=100 * math.exp(logprob), hue=hue)


def _alternative(other: Alternative, token: TokenTrace) -> _Bar:
    return _Bar(
        name=other.label,
        told=percent(other.logprob),
        width=100 * math.exp(other.logprob),
        is_chosen=other.token_id == token.token_id,
    )


def _wholes(trace: Trace) -> Iterator[_Whole]:
    hues = {name: number for number, name in enumerate(voices(trace))}
    num_tokens = max(1, len(trace.tokens))
    for name, total in trace.totals.items():
        mean = total / num_tokens
        yield _Whole(
            name=name,
            total=signed(total),
            mean=percent(mean),
            width=100 * math.exp(mean),
            hue=hues.get(name),
        )
