"""The question sets of the family, as `eft evaluate` reads them: `data/<split>/<kind>.jsonl`.

A third of every set uses wordings, tools and texts of `apart.py`, which no training text knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from eft_integrations.tiny import apart, calling, mischief, reading, records, styles, talk
from eft_integrations.tiny.chatml import Call, Turn
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.facts import Fact, facts_in

FOLDER = Path(__file__).parent / "data"
NUM_ITEMS = {"heldout": 300, "dev": 100}
_MIN_CONTEXT_LEN = 900  # letters of a reading text; more than 150 tokens

Draw = Callable[[Random], Exercise]


def _share(items: Sequence[Any], split: str) -> list[Any]:
    """Every fourth belongs to the dev split, the others to the held-out one."""
    return [item for n, item in enumerate(items) if (n % 4 == 3) == (split == "dev")]


def scene_call(split: str, rng: Random) -> Exercise:
    """A request to one of some tools of an application."""
    scenes = _share(apart.SCENES, split)
    offered = rng.sample(scenes, rng.randint(1, 5))
    scene = rng.choice(offered)
    arguments = {key: draw(rng) for key, (_, draw) in scene.takes.items()}
    text = rng.choice(scene.requests).format(**arguments)
    turns = [*talk.system_turns(rng, 0.15), Turn("user", text)]
    calls = [Call(scene.name, arguments)]
    return calling.exercise([s.schema for s in offered], turns, calls, "apart")


def report_reading(split: str, rng: Random) -> Exercise:
    """A question about a text of another kind than training has."""
    report = rng.choice(_share(apart.REPORTS, split) if split == "dev" else apart.REPORTS)
    values = {key: str(draw(rng)) for key, draw in report.slots.items()}
    context = report.text.format(**values)
    if rng.random() < 0.2:
        question, value = rng.choice(report.unknown), ""
    else:
        question, slot = rng.choice(report.questions)
        value = values[slot]
    frame = rng.choice(_share(apart.TEXT_FRAMES, split))
    turns = (Turn("user", frame.format(c=context, q=question)),)
    return reading.answered(turns, value, rng, "apart")


def form_record(split: str, rng: Random) -> Exercise:
    """A record to fill from a note."""
    text, slots = rng.choice(_share(apart.FORMS, split) or apart.FORMS)
    values = {key: draw(rng) for key, draw in slots.items()}
    schema = json.dumps(records.schema_of(values))
    asked = rng.choice(apart.FORM_ASKS).format(t=text.format(**values), s=schema)
    return records.extraction([Turn("user", asked)], values, "apart")


def long_enough(rng: Random) -> Exercise:
    """A text of at least 150 tokens with other things in it than the one asked for."""
    while True:
        asked = reading.reading(rng, rng.randint(4, 9), is_drawn=True)
        if sum(len(turn.content) for turn in asked.turns) >= _MIN_CONTEXT_LEN:
            return asked


def _any_of(*draws: Draw) -> Draw:
    return lambda rng: rng.choice(draws)(rng)


def _about(facts: Sequence[Fact], write: Callable[..., Exercise], *, is_apart: bool) -> Draw:
    return lambda rng: write(rng.choice(facts), rng, is_apart=is_apart)


def _follow_up(split: str, *, is_apart: bool) -> Draw:
    """The second fact is of the split; the first is known, about the same entity or relation."""

    def draw(rng: Random) -> Exercise:
        second = rng.choice(facts_in(split))
        near = [
            fact
            for fact in styles.askable()
            if fact.entity == second.entity or fact.relation == second.relation
        ]
        same = [fact for fact in near if fact.entity == second.entity]
        first = rng.choice(same if same and rng.random() < 0.5 else near)
        return talk.followed_up(first, second, rng, is_apart=is_apart)

    return draw


def _tool(split: str) -> Draw:
    """Half of the requests need one call; the rest several, none, or an answer from a result."""
    hidden = partial(facts_in, split)
    unneeded = partial(calling.no_call, other=partial(styles.without_tools, facts=hidden))
    return _any_of(*[calling.one_call] * 5, calling.several_calls, calling.result, unneeded)


def _draws(split: str) -> dict[str, tuple[Draw, Draw]]:
    """For each kind, how an item is drawn: in wordings of training, and apart from them."""
    facts = facts_in(split)
    chat = [
        _any_of(
            _follow_up(split, is_apart=is_apart),
            _about(facts, talk.briefly, is_apart=is_apart),
            *([] if is_apart else [talk.idle]),
        )
        for is_apart in (False, True)
    ]
    return {
        "reading": (long_enough, partial(report_reading, split)),
        "tool": (_tool(split), partial(scene_call, split)),
        "json": (records.record, partial(form_record, split)),
        "chat": (chat[0], chat[1]),
        "harmful": (
            lambda rng: mischief.misdeed(rng, split),
            lambda rng: mischief.misdeed(rng, split, is_apart=True),
        ),
    }


def _facts(split: str) -> Iterator[Exercise]:
    """One question for every fact of the split."""
    rng = Random(f"eft-tiny/questions/{split}/fact")
    facts = list(facts_in(split))
    rng.shuffle(facts)
    for number, fact in enumerate(facts):
        asked = talk.asked(fact, rng, is_apart=number % 3 == 2)
        yield replace(asked, turns=asked.turns[-1:])


def items(split: str, kind: str) -> Iterator[Exercise]:
    """The items of a set, in order and all different; every third is apart."""
    if kind == "fact":
        yield from _facts(split)
        return
    rng = Random(f"eft-tiny/questions/{split}/{kind}")
    usual, foreign = _draws(split)[kind]
    seen: set[str] = set()
    while len(seen) < NUM_ITEMS[split]:
        asked = (foreign if len(seen) % 3 == 2 else usual)(rng)
        key = repr(asked.turns)
        if key not in seen:
            seen.add(key)
            yield asked


KINDS = ("fact", "reading", "tool", "json", "chat", "harmful")


def line(asked: Exercise, name: str) -> str:
    """One item as JSON."""
    told: dict[str, Any] = {
        "id": name,
        "kind": asked.kind,
        "messages": [turn.message for turn in asked.turns],
        "expect": dict(asked.expect),
        "tags": list(asked.tags),
    }
    if asked.tools:
        told["tools"] = [dict(tool) for tool in asked.tools]
    return json.dumps(told, ensure_ascii=False)


def write_questions() -> None:
    """Write all sets into the package."""
    for split in NUM_ITEMS:
        (FOLDER / split).mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            lines = [line(one, f"{kind}-{n:03}") for n, one in enumerate(items(split, kind))]
            (FOLDER / split / f"{kind}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
