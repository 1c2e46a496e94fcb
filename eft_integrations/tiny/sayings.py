"""Sentences of open vocabulary, each with the questions that it answers.

A reader who meets only a few traits learns these traits; one who meets any verb with any noun has
to find the sentence that a question is about, and the part of it that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from eft_integrations.tiny import names
from eft_integrations.tiny.draws import clock
from eft_integrations.tiny.toolbox import NOUNS

# What people do to things: base, past, participle.
_VERBS = tuple(
    tuple(line.split("/"))
    for line in (
        "build/built/built paint/painted/painted sell/sold/sold buy/bought/bought "
        "find/found/found hide/hid/hidden carry/carried/carried break/broke/broken "
        "repair/repaired/repaired open/opened/opened lose/lost/lost draw/drew/drawn "
        "clean/cleaned/cleaned move/moved/moved order/ordered/ordered bring/brought/brought "
        "invent/invented/invented design/designed/designed write/wrote/written "
        "steal/stole/stolen borrow/borrowed/borrowed keep/kept/kept watch/watched/watched "
        "check/checked/checked plan/planned/planned remove/removed/removed cut/cut/cut "
        "guard/guarded/guarded test/tested/tested print/printed/printed choose/chose/chosen "
        "lead/led/led win/won/won report/reported/reported teach/taught/taught "
        "collect/collected/collected measure/measured/measured record/recorded/recorded "
        "replace/replaced/replaced rent/rented/rented load/loaded/loaded name/named/named"
    ).split()
)
_ROLES = (
    "mayor captain cook guard owner director teacher nurse guide keeper manager driver chair "
    "editor judge mechanic founder neighbour secretary trainer host inventor leader treasurer"
).split()
_QUALITIES = (
    "colour size weight price age length width height depth speed name number code shape smell "
    "temperature value model year owner password title material symbol motto address limit"
).split()
_GOING = ("leave", "start", "depart", "go", "return", "arrive", "open", "close", "begin", "end")
_LASTING = ("minutes", "hours", "days", "weeks", "months")
_WHERE = ("in {v}", "near {v}", "behind {v}", "at {v}", "outside {v}")


@dataclass(frozen=True)
class Said:
    """A sentence, what one can ask of it (questions and answers), and ways to say the same.

    ``value`` stands in each of ``retold``, and makes it untrue where it is another.
    """

    sentence: str
    asks: tuple[tuple[str, str], ...]
    retold: tuple[str, ...] = ()
    value: str = ""


def third(verb: str) -> str:
    """``goes`` for ``go``: what he, she or it does."""
    return verb + ("es" if verb.endswith(("o", "s", "sh", "ch", "x")) else "s")


def noun(rng: Random) -> str:
    """A thing with or without an adjective, now and then one that nobody has heard of."""
    word = rng.choice((*NOUNS, *names.THINGS))
    if rng.random() < 0.12:
        word = names.invented_word(rng, 1, 2)
    before = rng.choice(rng.choice((names.ADJECTIVES, names.COLOURS)))
    return f"{before} {word}" if rng.random() < 0.4 else word


def _many(rng: Random) -> str:
    word = rng.choice((*NOUNS, *names.THINGS, *names.ANIMALS, *names.JOBS, *names.FOODS))
    return word if word.endswith("s") else word + "s"


def who(rng: Random) -> str:
    """A person, with a title or a trade now and then."""
    before = rng.choice(("Mr ", "Mrs ", "Ms ", "Dr ", "old ", "young ", "the {j} "))
    person = names.person(rng)
    if rng.random() < 0.7:
        return person
    return before.format(j=rng.choice(names.JOBS)) + person


def when(rng: Random) -> tuple[str, str]:
    """A time as it stands behind a verb, and the part of it that answers "when"."""
    draws = (
        ("on", rng.choice(names.DAYS)),
        ("in", rng.choice(names.MONTHS)),
        ("in", str(rng.randint(1200, 2030))),
        ("at", clock(rng)),
        ("on", f"{rng.choice(names.MONTHS)} {rng.randint(1, 28)}"),
    )
    before, value = rng.choice(draws)
    return f"{before} {value}", value


def deed(rng: Random) -> Said:
    """Somebody did something, somewhere and some day."""
    base, past, participle = rng.choice(_VERBS)
    doer, thing, place, (told, time) = who(rng), noun(rng), names.place(rng), when(rng)
    parts = [rng.choice(_WHERE).format(v=place), told]
    asks = [
        (f"Where did {doer} {base} the {thing}?", place),
        (f"When did {doer} {base} the {thing}?", time),
    ]
    kept = sorted(rng.sample((0, 1), rng.choice((0, 1, 1, 2))))
    tail = "".join(f" {parts[n]}" for n in kept)
    questions = [
        (f"Who {past} the {thing}?", doer),
        (f"By whom was the {thing} {participle}?", doer),
        (f"What did {doer} {base}?", f"the {thing}"),
        *(asks[n] for n in kept),
    ]
    active, passive = f"{doer} {past} the {thing}", f"the {thing} was {participle} by {doer}"
    if rng.random() < 0.5:
        return Said(f"{doer} {past} the {thing}{tail}", tuple(questions), (active, passive), doer)
    questions += [(f"Where was the {thing} {participle}?", place)] if 0 in kept else []
    questions += [(f"When was the {thing} {participle}?", time)] if 1 in kept else []
    by, rest = f" by {doer}", [tail]
    rest.insert(rng.randrange(2), by)
    told = f"the {thing} was {participle}{''.join(rest)}"
    return Said(told, tuple(questions), (active, passive), doer)


def office(rng: Random) -> Said:
    """Somebody is something."""
    role, person, thing = rng.choice(_ROLES), who(rng), noun(rng)
    of = rng.choice((f"the {role} of the {thing}", f"the {role}"))
    verb, past, _ = rng.choice(_VERBS)
    other = noun(rng)
    form = rng.choice(
        (
            "{o} is {p}",
            "{o}, {p}, {d} the {x}",
            "{p} is {o}",
            "{o} is called {p}",
            "{p}, {o}, {d} the {x}",
        )
    )
    asks = [
        (f"Who is {of}?", person),
        (f"What is the name of {of}?", person),
        (f"What is {of} called?", person),
    ]
    if "{x}" in form:
        asks += [(f"What did {of} {verb}?", f"the {other}"), (f"Who {past} the {other}?", person)]
    retold = (f"{of} is {person}", f"{person} is {of}", f"{of} is called {person}")
    return Said(form.format(o=of, p=person, d=past, x=other), tuple(asks), retold, person)


def tally(rng: Random) -> Said:
    """So many of something."""
    number, thing, many = str(rng.randint(2, rng.choice((12, 99, 900)))), noun(rng), _many(rng)
    verb = rng.choice(("have", "hold", "need", "take", "carry", "offer", "contain", "cost"))
    does = "has" if verb == "have" else third(verb)
    who_or_what = rng.choice((f"the {thing}", who(rng)))
    forms = (
        f"{who_or_what} {does} {number} {many}",
        f"{who_or_what} {does} no more than {number} {many}",
        f"there is room for {number} {many}, and {who_or_what} {does} them",
    )
    which = rng.randrange(3)
    asks = [(f"How many {many} does {who_or_what} {verb}?", number)]
    if which == 2:
        asks = [(f"For how many {many} is there room?", number)]
    return Said(forms[which], tuple(asks))


def quality(rng: Random) -> Said:
    """A thing has a quality of some value."""
    name, thing = rng.choice(_QUALITIES), noun(rng)
    draws = (names.code, names.invented_name, lambda r: str(names.whole_number(r)), names.phrase)
    value = rng.choice(draws)(rng)
    forms = (
        f"the {name} of the {thing} is {value}",
        f"the {thing} has the {name} {value}",
        f"{value} is the {name} of the {thing}",
        f"as its {name}, the {thing} has {value}",
        f"the {thing}, whose {name} is {value}, is {rng.choice(names.ADJECTIVES)}",
    )
    asks = (
        (f"What is the {name} of the {thing}?", value),
        (f"Which {name} does the {thing} have?", value),
        (f"What {name} has the {thing}?", value),
        (f"Give me the {name} of the {thing}.", value),
    )
    return Said(rng.choice(forms), asks, forms[:3], value)


def called(rng: Random) -> Said:
    """A thing and what it is called."""
    thing, name = noun(rng), names.invented_name(rng)
    place = names.place(rng)
    forms = (
        f"the {thing} in {place} is called {name}",
        f"the {thing} called {name} stands in {place}",
        f"{name}, a {thing}, is found in {place}",
    )
    asks = (
        (f"What is the {thing} called?", name),
        (f"What is the name of the {thing}?", name),
        (f"Where is the {thing}?", place),
        (f"Where is {name}?", place),
        (f"In which place is {name}?", place),
    )
    return Said(rng.choice(forms), asks, forms, name)


def going(rng: Random) -> Said:
    """A thing leaves or opens somewhere at some time."""
    thing, verb, place = noun(rng), rng.choice(_GOING), names.place(rng)
    told, time = when(rng)
    places = rng.random() < 0.5
    at = f" from {place}" if places else ""
    forms = (
        f"the {thing} {third(verb)}{at} {told}",
        f"{told}, the {thing} {third(verb)}{at}",
        f"the {thing} will {verb}{at} {told}",
    )
    asks = [(f"When does the {thing} {verb}?", time), (f"When will the {thing} {verb}?", time)]
    if told.startswith("at"):
        asks += [
            (f"At what time does the {thing} {verb}?", time),
            (f"At what hour will the {thing} {verb}?", time),
        ]
    if places:
        asks += [
            (f"From where does the {thing} {verb}?", place),
            (f"Where does the {thing} {verb} from?", place),
        ]
    return Said(rng.choice(forms), tuple(asks), forms, time)


def lasting(rng: Random) -> Said:
    """How long something takes, or how much somebody paid."""
    thing, person, (base, _, _) = noun(rng), who(rng), rng.choice(_VERBS)
    number = rng.randint(2, 90)
    if rng.random() < 0.5:
        unit = rng.choice(_LASTING)
        asks = (
            (f"How long does it take to {base} the {thing}?", f"{number} {unit}"),
            (f"How many {unit} does it take to {base} the {thing}?", str(number)),
            (f"How long does one need to {base} the {thing}?", f"{number} {unit}"),
        )
        long = f"{number} {unit}"
        told = (
            f"it takes {long} to {base} the {thing}",
            f"to {base} the {thing}, one needs {long}",
        )
        return Said(rng.choice(told), asks, told, str(number))
    money = rng.choice(("dollars", "euros", "crowns", "pounds", "coins"))
    price = f"{number} {money}"
    paid = (
        (f"How much did {person} pay for the {thing}?", price),
        (f"How many {money} did {person} pay?", str(number)),
        (f"Who paid for the {thing}?", person),
        (f"What did {person} pay for?", f"the {thing}"),
    )
    forms = (f"{person} paid {price} for the {thing}", f"for the {thing} {person} paid {price}")
    return Said(rng.choice(forms), paid, forms, str(number))


_SAYINGS: tuple[tuple[Callable[[Random], Said], float], ...] = (
    (deed, 0.3),
    (office, 0.15),
    (tally, 0.12),
    (quality, 0.15),
    (called, 0.1),
    (going, 0.1),
    (lasting, 0.08),
)


def saying(rng: Random) -> Said:
    """Something that a text can say, without its full stop."""
    (draw,) = rng.choices([d for d, _ in _SAYINGS], [weight for _, weight in _SAYINGS])
    return draw(rng)


def joined(rng: Random, sentences: list[str]) -> list[str]:
    """The sentences with full stops, some of them made one."""
    lines: list[str] = []
    for told in sentences:
        if lines and rng.random() < 0.25:
            link = rng.choice((", and ", "; ", ", while ", ", but ", ", since "))
            lines[-1] = lines[-1].removesuffix(".") + link + told + "."
        else:
            lines.append(f"{told}.")
    return lines
