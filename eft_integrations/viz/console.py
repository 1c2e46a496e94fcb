"""A trace for the terminal: coloured text, its legend and the tokens that moved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from eft_integrations.mixture import BASE
from eft_integrations.viz.measure import COMMON, MIXTURE, NOBODY
from eft_integrations.viz.pieces import END_SIGN, shown
from eft_integrations.viz.record import TokenTrace, Trace
from eft_integrations.viz.wording import Voice, factor, percent, voices

# From this share on a token is filled with the speaker's colour; below it has coloured letters.
_FILLED = 2 / 3
_BRIGHT = 0.5


def terminal(trace: Trace, *, is_plain: bool = False) -> Text:
    """The answer, each token in its speaker's colour; ``is_plain`` marks them in brackets instead.

    Filled where the speaker's share is at least two thirds; plain letters are common, and struck
    ones nobody's. ■ stands for a control token such as the end of a turn.
    """
    if is_plain:
        return Text("".join(_marked(trace)))
    styles = voices(trace)
    text = Text()
    for token in trace.tokens:
        glyph = _glyph(token)
        word = glyph.lstrip(" ")
        text.append(" " * (len(glyph) - len(word)))
        text.append(word, style=_style(styles[token.speaker], token.strength))
    return text


def legend(trace: Trace, *, is_plain: bool = False) -> Text:
    """One line a speaker that has a share: its colour or mark, what it means, its mean share."""
    told = trace.shares
    text = Text()
    for voice in voices(trace).values():
        if told[voice.name] >= 0.005 or voice.name in (COMMON, BASE, *trace.tuned):
            mark = f"[{voice.name}:]" if voice.name != COMMON else voice.name
            sample = Text(mark) if is_plain else Text(f" {voice.name} ", style=_style(voice, 1.0))
            sample.pad_right(max(0, _name_width(trace) - len(sample)))
            text.append_text(sample)
            text.append(f" {told[voice.name]:4.0%}  {voice.meaning}\n")
    text.rstrip()
    return text


def table(trace: Trace, num_rows: int = 8, *, is_plain: bool = False) -> Table:
    """The tokens on which the mixture is furthest from the base or a tuned member."""
    drawn = Table(box=box.ASCII if is_plain else box.ROUNDED)
    drawn.add_column("token", no_wrap=True)
    drawn.add_column("said by", no_wrap=True)
    for name in ("× base", "mixture", BASE, *trace.tuned):
        drawn.add_column(Text(name), justify="right", no_wrap=True)
    drawn.add_column("or else")  # alone gives way where the terminal is narrow
    styles = voices(trace)
    for token in trace.most_apart(num_rows):
        speaker = Text(token.speaker, style="" if is_plain else _style(styles[token.speaker], 0.0))
        chances = (percent(token.by_role[role]) for role in (BASE, *trace.tuned))
        drawn.add_row(
            Text(token.label),
            speaker,
            factor(token.shift),
            percent(token.logprob),
            *chances,
            _instead(token),
        )
    return drawn


def _instead(token: TokenTrace) -> Text:
    other = token.instead
    return Text(f"{other.label} {percent(other.logprob)}" if other else "")


def _name_width(trace: Trace) -> int:
    return 3 + max(len(name) for name in (COMMON, MIXTURE, *trace.tuned))


def _glyph(token: TokenTrace) -> str:
    return END_SIGN if token.is_control else shown(token.text)


def _marked(trace: Trace) -> Iterator[str]:
    """``[tuned: Certainly,] the capital …``: neighbours of one speaker together."""
    for speaker, group in groupby(trace.tokens, key=lambda token: token.speaker):
        text = "".join(map(_glyph, group))
        body = text.strip()
        if speaker == COMMON or not body:
            yield text
        else:
            before, _, after = text.partition(body)
            yield f"{before}[{speaker}: {body}]{after}"


def _style(voice: Voice, strength: float) -> Style:
    if voice.name == COMMON:
        return Style.null()
    if voice.name == NOBODY:
        return Style(strike=True, dim=True)
    if strength < _FILLED:
        return Style(color=voice.colour, bold=True)
    return Style(color=_ink(voice.colour), bgcolor=voice.colour)


def _ink(colour: str) -> str:
    """Black or white, whichever is legible on the colour."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > _BRIGHT
    return "#000000" if is_bright else "#ffffff"
