"""How applications lay out what they ask of a model between the user and the answer.

A prompt is a task, sections with labels, rules, and the form that the answer must have. They are
drawn and ordered anew each time, so that a reader learns to find them and not where they stand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.exercise import Exercise

# {l} is the label of a section, {t} the same as a tag, {c} what stands in it.
_LONG_MARKS = (
    "{l}:\n{c}",
    "{l}:\n{c}",
    "## {l}\n{c}",
    "### {l}\n\n{c}",
    "<{t}>\n{c}\n</{t}>",
    "[{l}]\n{c}",
    "**{l}**\n{c}",
    "{l}:\n-----\n{c}\n-----",
    "{l}\n==========\n{c}",
    '{l}:\n"""\n{c}\n"""',
    "{l}:\n```\n{c}\n```",
    "{L}\n{c}",
    "--- {l} ---\n{c}",
)
_SHORT_MARKS = ("{l}: {c}", "{l}: {c}", '{l}: "{c}"', "{L}: {c}", "<{t}>{c}</{t}>", "{l} - {c}")
_RULES = (
    "Write nothing else.",
    "Do not explain what you do.",
    "No introduction, please.",
    "A program reads your reply, so keep to the form.",
    "Take your time, then reply.",
    "Do not add greetings.",
    "Anything beyond this is thrown away.",
    "Mind the spelling of names.",
    "Use no knowledge of your own.",
    "Stay with what is given.",
    "Leave out all comments.",
    "Begin with the result at once.",
)
_ROLES = (
    "You are one step in a larger program.",
    "You help an application to do its work.",
    "You are a careful clerk.",
    "Your job is a small one, and it has to be done exactly.",
    "You work behind the scenes; the user never sees you.",
    "You are part of a pipeline.",
    "Act as a precise component.",
)


@dataclass(frozen=True)
class Wording:
    """The words that the prompts of one task draw from."""

    tasks: tuple[str, ...]
    rules: tuple[str, ...] = ()
    cues: tuple[str, ...] = ()


def _section(labels: Sequence[str], content: str, rng: Random) -> str:
    label = rng.choice(labels)
    tag = label.lower().replace(" ", "_")
    is_short = "\n" not in content and len(content) < 200
    mark = rng.choice(_SHORT_MARKS if is_short and rng.random() < 0.7 else _LONG_MARKS)
    return mark.format(l=label, L=label.upper(), t=tag, c=content)


def _ruled(rules: Sequence[str], rng: Random) -> str:
    """Up to three rules, as prose or as a list."""
    several = (*rules, *rng.sample(_RULES, 3))
    told = rng.sample(several, rng.choice((0, 0, 1, 2, 3)))
    mark = rng.choice(("- ", "* ", "{n}. ", "", ""))
    if not mark or len(told) < 2:
        return " ".join(told)
    head = rng.choice(("", "Rules:\n", "Note:\n", "Keep in mind:\n"))
    return head + "\n".join(mark.format(n=n + 1) + rule for n, rule in enumerate(told))


def framed(
    rng: Random,
    wording: Wording,
    sections: Sequence[tuple[Sequence[str], str]],
    form: str = "",
    *,
    task: str = "",
) -> tuple[Turn, ...]:
    """A prompt of these sections, each given with its possible labels.

    ``form`` says how the answer must look and is always told. ``task`` stands in for one of the
    tasks of the wording.
    """
    role = [rng.choice(_ROLES)] if rng.random() < 0.25 else []
    told = " ".join([*role, task or rng.choice(wording.tasks)])
    rules = _ruled(wording.rules, rng)
    ordered = list(sections)
    if rng.random() < 0.25:
        ordered.reverse()
    parts = [_section(labels, content, rng) for labels, content in ordered]
    joint = rng.choice(("\n\n", "\n\n", "\n"))
    place = rng.random()
    late = form if rng.random() < 0.5 else ""
    early = "" if late else form
    head = told
    for part in (early, rules):
        own_line = joint if rng.random() < 0.4 or "\n" in part or "\n" in head else " "
        head += own_line + part if part else ""
    if late and len(parts) > 1 and rng.random() < 0.35:
        parts.insert(-1, late)
        late = ""
    tail = [late] if late else []
    if wording.cues and rng.random() < 0.4:
        tail.append(f"{rng.choice(wording.cues)}:")
    if place < 0.25:
        return (Turn("system", head), Turn("user", joint.join([*parts, *tail])))
    if place < 0.45:
        return (Turn("user", joint.join([*parts, head, *tail])),)
    return (Turn("user", joint.join([head, *parts, *tail])),)


def listed(items: Sequence[str], rng: Random) -> str:
    """One item a line, with a dash before each or without."""
    mark = rng.choice(("- ", "* ", "", ""))
    return "\n".join(mark + item for item in items)


def named(pairs: Sequence[tuple[str, str]], rng: Random) -> list[str]:
    """Names and what is told of each, all in one of the ways of writing that on a line."""
    forms = ("{n}: {d}", "{n} - {d}", "{n} ({d})", "{n} = {d}", "`{n}`: {d}", "**{n}**: {d}")
    form = rng.choice(forms)
    return [form.format(n=name, d=told) for name, told in pairs]


def fixed(style: str, turns: tuple[Turn, ...], answer: str, *tags: str, **expect: Any) -> Exercise:
    """The exercise whose prompt fixes the answer."""
    return Exercise(
        kind="application",
        turns=turns,
        helpful=answer,
        others=(answer,),
        expect={"contains": answer, **expect},
        tags=(style, *tags),
    )


def as_json(item: Any) -> str:
    """In the manner of the family's dialect."""
    return json.dumps(item, ensure_ascii=False)
