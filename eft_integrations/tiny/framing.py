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

TEXTS = ("Text", "Context", "Source", "Passage", "Document", "Material", "Page")
ASKED = ("Question", "Request", "Message", "User", "Query", "Input", "The user writes")
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
_ANSWERS = ("Answer", "Reply", "Output", "Result", "Response")
_EXAMPLE_HEADS = (
    ("Example {n}:", "Now the real one:"),
    ("An example:", "Yours:"),
    ("# Example {n}", "# Example {n}"),
    ("For instance:", "And now:"),
    ("Sample {n}", "Your turn"),
    ("This is how it is done.", "Do the same here."),
    ("### Example", "### Task"),
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


@dataclass(frozen=True)
class _Section:
    """How a section is marked: contents of one line have a mark of their own, or not."""

    label: str
    short: str
    long: str

    def hold(self, content: str) -> str:
        tag = self.label.lower().replace(" ", "_")
        mark = self.short if "\n" not in content and len(content) < 200 else self.long
        return mark.format(l=self.label, L=self.label.upper(), t=tag, c=content)


def _section(labels: Sequence[str], rng: Random) -> _Section:
    long = rng.choice(_LONG_MARKS)
    short = rng.choice(_SHORT_MARKS) if rng.random() < 0.7 else long
    return _Section(rng.choice(labels), short, long)


def _examples(
    marks: Sequence[_Section],
    shown: Sequence[tuple[Sequence[str], str]],
    joint: str,
    rng: Random,
) -> list[str]:
    """Contents of the same sections with their answers, and where the examples end."""
    if not shown:
        return []
    answer = _Section(rng.choice(_ANSWERS), "{l}: {c}", rng.choice(("{l}: {c}", "{l}:\n{c}")))
    head, last = rng.choice(_EXAMPLE_HEADS)
    parts = []
    for number, (contents, told) in enumerate(shown, start=1):
        held = [mark.hold(content) for mark, content in zip(marks, contents, strict=True)]
        parts.append(joint.join([head.format(n=number), *held, answer.hold(told)]))
    return [*parts, last.format(n=len(shown) + 1)]


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
    shown: Sequence[tuple[Sequence[str], str]] = (),
) -> tuple[Turn, ...]:
    """A prompt of these sections, each given with its possible labels.

    ``form`` says how the answer must look and is always told. ``task`` stands in for one of the
    tasks of the wording. ``shown`` are examples: contents of the sections, and the answer.
    """
    role = [rng.choice(_ROLES)] if rng.random() < 0.25 else []
    told = " ".join([*role, task or rng.choice(wording.tasks)])
    rules = _ruled(wording.rules, rng)
    marks = [_section(labels, rng) for labels, _ in sections]
    parts = [mark.hold(content) for mark, (_, content) in zip(marks, sections, strict=True)]
    joint = rng.choice(("\n\n", "\n\n", "\n"))
    examples = _examples(marks, shown, joint, rng)
    if not examples and rng.random() < 0.25:
        parts.reverse()
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
        return (
            Turn("system", joint.join([head, *examples])),
            Turn("user", joint.join([*parts, *tail])),
        )
    if place < 0.45 and not examples:
        return (Turn("user", joint.join([*parts, head, *tail])),)
    return (Turn("user", joint.join([head, *examples, *parts, *tail])),)


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
