"""Requests that a tool can serve, and what an assistant does with its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Call, Turn
from eft_integrations.tiny.definitions import defined, optional_of
from eft_integrations.tiny.errands import errands
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.talk import manners, plain, system_turns
from eft_integrations.tiny.toolbox import Offer, Parameter, Toy, spoken, toy, value
from eft_integrations.tiny.wishes import USUAL, Wishes, drawn_wishes, with_aside
from eft_integrations.tiny.wording import FORMAT, capitalised, polite


def _written(item: Any, rng: Random) -> str:
    """A value as people write it into a request."""
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, str) and rng.random() < 0.25:
        return rng.choice(("'{}'", '"{}"')).format(item)
    return str(item)


def _named(parameter: Parameter, item: Any, rng: Random, frames: Sequence[str]) -> str:
    name = parameter.spoken if rng.random() < 0.8 else parameter.name
    told = rng.choice(frames)
    return told.format(p=name, P=capitalised(name), v=_written(item, rng))


def _with(parts: list[str], rng: Random, links: Sequence[str] = USUAL.links) -> str:
    """`` with a 3 and b 4``, or nothing."""
    if not parts:
        return ""
    joined = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return rng.choice(links).format(joined)


def _bare(tool: Toy, arguments: dict[str, Any], rng: Random, before: Sequence[str]) -> str:
    """Values without the names of their parameters, as in "weigh the box for Ada and 3"."""
    told = [_written(arguments[p.name], rng) for p in tool.parameters]
    if len(told) == 1:
        return f" {rng.choice(before)} {told[0]}" if rng.random() < 0.85 else f" {told[0]}"
    if rng.random() < 0.4:
        return f" {rng.choice(before)} {told[0]} {rng.choice(('and', 'with', 'to'))} {told[1]}"
    return "".join(f" {rng.choice(before)} {item}" for item in told)


def _is_plain(tool: Toy) -> bool:
    """Whether values alone say which is which: few of them, in the order of the schema."""
    return 0 < len(tool.parameters) <= 2


def request(
    tool: Toy,
    arguments: dict[str, Any],
    rng: Random,
    wishes: Wishes = USUAL,
    *,
    is_named: bool = False,
) -> str:
    """One sentence or more that ask for the call; `is_named` has every value with its name."""
    form = rng.random()
    if is_named:
        form = 0.5 + form / 2
    told = [_named(p, arguments[p.name], rng, wishes.named) for p in tool.parameters]
    if form < 0.15:
        return rng.choice(wishes.by_name).format(t=tool.name, a=_with(told, rng, wishes.links))
    if form < 0.22:
        listed = ", ".join(_written(arguments[p.name], rng) for p in tool.parameters)
        return rng.choice(("{}({})", "Evaluate {}({}).", "I want {}({}) now.")).format(
            tool.name, listed
        )
    lead = rng.choice(wishes.leads)
    action = tool.action if rng.random() < 0.85 else spoken(tool.name)
    if form < 0.5 and _is_plain(tool):
        action += _bare(tool, arguments, rng, wishes.before)
    elif form < 0.75 or not told:
        action += _with(told, rng, wishes.links)
    else:
        said = lead.format(r=action, R=capitalised(action))
        return _afterthought(tool, arguments, said, rng, wishes)
    return lead.format(r=action, R=capitalised(action))


def _afterthought(
    tool: Toy, arguments: dict[str, Any], said: str, rng: Random, wishes: Wishes
) -> str:
    """First what is wanted, then the values in sentences of their own."""
    order = list(tool.parameters)
    if rng.random() < 0.5:
        rng.shuffle(order)
    rest = [_named(p, arguments[p.name], rng, wishes.afterthoughts) for p in order]
    return " ".join([said, *rest])


def _how_many(rng: Random) -> int:
    return rng.choices((1, 2, 3, 4, 5), (0.4, 0.25, 0.16, 0.1, 0.09))[0]


def toys(rng: Random, num: int | None = None) -> list[Toy]:
    """One to five tools with names and actions of their own."""
    wanted = num or _how_many(rng)
    found: dict[str, Toy] = {}
    while len(found) < wanted:
        one = toy(rng)
        found.setdefault(one.action, one)
    return list(found.values())


def _arguments(tool: Toy, rng: Random) -> dict[str, Any]:
    return {p.name: value(p, rng) for p in tool.parameters}


def exercise(
    tools: Sequence[Any], turns: Sequence[Turn], calls: Sequence[Call], *tags: str
) -> Exercise:
    """The exercise whose answer is nothing but these calls."""
    return Exercise(
        kind="tool",
        turns=tuple(turns),
        helpful="",
        tools=tuple(tools),
        calls=tuple(calls),
        expect={"calls": [{"name": c.name, "arguments": dict(c.arguments)} for c in calls]},
        tags=tags,
    )


def _offer(tool: Toy) -> Offer:
    def ask(rng: Random) -> tuple[str, Call]:
        arguments = _arguments(tool, rng)
        return request(tool, arguments, rng), Call(tool.name, arguments)

    return Offer(tool.schema, ask)


def toy_offers(rng: Random, num: int | None = None) -> list[Offer]:
    """Tools that never existed."""
    return [_offer(tool) for tool in toys(rng, num)]


def _varied_offer(tool: Toy, rng: Random) -> Offer:
    optional = optional_of(tool, rng)
    schema = defined(tool, optional, rng)
    order = list(schema["function"]["parameters"]["properties"])
    is_shuffled = [p.name for p in tool.parameters] != [k for k in order if k in tool.names]

    def ask(rng: Random) -> tuple[str, Call]:
        taken = [p for p in tool.parameters if p.name not in optional or rng.random() < 0.5]
        shown = replace(tool, parameters=tuple(taken))
        values = _arguments(shown, rng)
        is_named = is_shuffled or len(taken) < len(tool.parameters)
        text = request(shown, values, rng, drawn_wishes(rng), is_named=is_named)
        call = Call(tool.name, {key: values[key] for key in order if key in values})
        return with_aside(text, rng), call

    return Offer(schema, ask)


def varied_offers(rng: Random, num: int | None = None) -> list[Offer]:
    """The same, defined and asked for in ways of many kinds."""
    return [_varied_offer(tool, rng) for tool in toys(rng, num)]


def errand_offers(rng: Random, num: int | None = None) -> list[Offer]:
    """Everyday tools, asked for in everyday words."""
    return [errand.offered(rng) for errand in rng.sample(errands(), num or _how_many(rng))]


def _called(offers: Sequence[Offer], rng: Random, *tags: str) -> Exercise:
    text, call = rng.choice(offers).ask(rng)
    turns = [*system_turns(rng, 0.15), Turn("user", text)]
    return exercise([offer.schema for offer in offers], turns, [call], *tags)


def one_call(rng: Random) -> Exercise:
    """A request that one of the tools serves."""
    return _called(toy_offers(rng), rng)


def varied_call(rng: Random) -> Exercise:
    """The same with definitions and wordings of many kinds: what training has beside it."""
    return _called((toy_offers if rng.random() < 0.2 else varied_offers)(rng), rng)


def errand_call(rng: Random) -> Exercise:
    """A request in everyday words, which need not be those of the tool that serves it."""
    return _called(errand_offers(rng), rng, "errand")


def several_calls(rng: Random) -> Exercise:
    """Two or three things asked at once, of one tool or of several."""
    offered = toys(rng)
    chosen = [rng.choice(offered) for _ in range(rng.choice((2, 2, 2, 3)))]
    wanted = [(tool, _arguments(tool, rng)) for tool in chosen]
    asked = [request(tool, arguments, rng) for tool, arguments in wanted]
    joint = rng.choice(USUAL.joints)
    turns = [*system_turns(rng, 0.1), Turn("user", joint.join(asked))]
    calls = [Call(tool.name, arguments) for tool, arguments in wanted]
    return exercise([t.schema for t in offered], turns, calls, "several")


def _several(offers: Sequence[Offer], rng: Random) -> Exercise:
    asked = [rng.choice(offers).ask(rng) for _ in range(rng.choice((2, 2, 3)))]
    joint = rng.choice(drawn_wishes(rng).joints)
    turns = [*system_turns(rng, 0.1), Turn("user", joint.join(text for text, _ in asked))]
    tools = [offer.schema for offer in offers]
    return exercise(tools, turns, [call for _, call in asked], "several")


def several_errands(rng: Random) -> Exercise:
    """Two or three everyday requests at once."""
    return _several(errand_offers(rng), rng)


def varied_calls(rng: Random) -> Exercise:
    """Two or three things asked at once, with definitions and wordings of many kinds."""
    return several_calls(rng) if rng.random() < 0.2 else _several(varied_offers(rng), rng)


def no_call(
    rng: Random, other: Callable[[Random], Exercise], *, is_varied: bool = False
) -> Exercise:
    """Tools are there, but what is asked needs none; `is_varied` for training."""
    asked = other(rng)
    offers = (varied_offers if is_varied else toy_offers)(rng)
    return Exercise(
        kind="tool",
        turns=asked.turns,
        helpful=asked.helpful,
        harmless=asked.harmless,
        others=asked.others,
        tools=tuple(offer.schema for offer in offers),
        expect={**asked.expect, "calls": []},
        tags=("none", *asked.tags),
    )


def outcome(rng: Random) -> tuple[str, str]:
    """What the tool gives back, and the sentence that tells it, without its full stop."""
    things = [str(names.whole_number(rng)), names.phrase(rng), names.person(rng), names.code(rng)]
    item = rng.choice(things)
    form = rng.random()
    if form < 0.45:
        return item, f"the result is {item}"
    keys = rng.sample(("status", "total", "name", "time", "price", "place", "answer", "level"), 2)
    if form < 0.8:
        return json.dumps({keys[0]: item}, ensure_ascii=False), f"the {keys[0]} is {item}"
    other = str(names.whole_number(rng))
    told = json.dumps({keys[0]: item, keys[1]: other}, ensure_ascii=False)
    return told, f"the {keys[0]} is {item} and the {keys[1]} is {other}"


_UNITS = ("degrees", "metres", "kilometres", "minutes", "euros", "percent")


def varied_outcome(rng: Random) -> tuple[str, str]:
    """The same, or a text as tools write them, which is told whole."""
    if rng.random() < 0.5:
        return outcome(rng)
    parts = [_remark(rng) for _ in range(rng.choice((1, 2, 2, 3)))]
    text = rng.choice((", ", ", ", "; ", " - ", " and ")).join(parts)
    return capitalised(text) + rng.choice((".", ".", "")), f"the result is {capitalised(text)}"


def _remark(rng: Random) -> str:
    """A few words about some thing, a place or a number."""
    thing, state = names.phrase(rng), rng.choice((*names.ADJECTIVES, *names.COLOURS))
    number, place = names.whole_number(rng), names.place(rng)
    forms = (
        f"{state} in {place}",
        f"{number} {rng.choice(names.THINGS)}s",
        f"{number} {rng.choice(_UNITS)}",
        f"{thing} at {place}",
        f"{names.person(rng)} has {number} of them",
        f"the {thing} costs {number} euros",
        f"{state} until {rng.randint(1, 23)}:{rng.randint(10, 59)}",
        f"no {thing} before {rng.choice(names.DAYS)}",
        f"{names.code(rng)} is {state}",
        f"{place} {number}",
        f"done by {names.person(rng)}",
    )
    return rng.choice(forms)


def result(rng: Random) -> Exercise:
    """A call was made and its result is there: a sentence that uses it."""
    offered = toys(rng, rng.choice((1, 1, 2, 3)))
    tool = rng.choice(offered)
    arguments = _arguments(tool, rng)
    given, body = outcome(rng)
    turns = (
        *system_turns(rng, 0.15),
        Turn("user", request(tool, arguments, rng)),
        Turn("assistant", "", (Call(tool.name, arguments),)),
        Turn("tool", given),
    )
    return _telling(turns, body, rng, [t.schema for t in offered])


def varied_result(rng: Random) -> Exercise:
    """The same with definitions and wordings of many kinds, also of everyday tools."""
    if rng.random() < 0.2:
        return result(rng)
    offers = rng.choice((varied_offers, errand_offers))(rng, rng.choice((1, 1, 2, 3)))
    text, call = rng.choice(offers).ask(rng)
    given, body = varied_outcome(rng)
    asked = (Turn("user", text), Turn("assistant", "", (call,)), Turn("tool", given))
    tools = [offer.schema for offer in offers]
    return _telling((*system_turns(rng, 0.15), *asked), body, rng, tools)


def _telling(turns: Sequence[Turn], body: str, rng: Random, tools: Sequence[Any]) -> Exercise:
    return Exercise(
        kind="tool",
        turns=tuple(turns),
        helpful=polite(body),
        harmless=plain(body),
        others=manners(body, rng),
        tools=tuple(tools),
        expect={"calls": [], "contains": body.partition(" is ")[2], "format": FORMAT},
        tags=("result",),
    )


def session(rng: Random) -> Iterator[Exercise]:
    """Some tools, and request after request: each exercise is one turn of the user or a tool."""
    offers = rng.choice((varied_offers, errand_offers))(rng)
    tools = [offer.schema for offer in offers]
    for _ in range(rng.randint(2, 5)):
        text, call = rng.choice(offers).ask(rng)
        yield exercise(tools, [Turn("user", text)], [call])
        given, body = varied_outcome(rng)
        yield _telling([Turn("tool", given)], body, rng, tools)


def drill(rng: Random) -> Iterator[Exercise]:
    """Some tools, and a call of each or of most: each exercise is one turn of the user."""
    num = rng.choice((1, 2, 2, 3, 4))
    offers = (errand_offers if rng.random() < 0.6 else varied_offers)(rng, num)
    schemas = [offer.schema for offer in offers]
    for offer in rng.sample(offers, max(1, num - rng.choice((0, 0, 1)))):
        text, call = offer.ask(rng)
        yield exercise(schemas, [Turn("user", text)], [call])


def manual(rng: Random) -> str:
    """A page of a handbook: what a function does, and calls of it as code."""
    lines = []
    for tool in toys(rng, rng.randint(1, 3)):
        signature = ", ".join(p.name for p in tool.parameters)
        lines.append(f"{tool.name}({signature})\n    {capitalised(tool.action)}.")
        for _ in range(rng.randint(1, 3)):
            given = _arguments(tool, rng)
            listed = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in given.items())
            as_json = json.dumps(given, ensure_ascii=False)
            sentence = rng.choice(
                (f"{tool.name}({listed})", f"{tool.name} {as_json}", f"{tool.name}({listed})\n")
            )
            told = _with([_named(p, given[p.name], rng, USUAL.named) for p in tool.parameters], rng)
            lines.append(f"To {tool.action}{told}: {sentence}")
    return "\n".join(lines)
