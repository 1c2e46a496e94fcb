"""What fills the slots of hand-written material: names, numbers, times, or words to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from eft_integrations.tiny import names

Draw = Callable[[Random], Any]
MATERIAL = Path(__file__).parent / "material"
_CHOICE = "of:"


def _of(words: str) -> Draw:
    choices = words.split("/")
    return lambda rng: rng.choice(choices)


def clock(rng: Random) -> str:
    """A time of day as people write it."""
    hour = rng.randint(1, 12)
    return rng.choice(
        (f"{hour}:{rng.randint(0, 59):02}", f"{hour + 11}:{rng.choice(('00', '30'))}", f"{hour} pm")
    )


def _date(rng: Random) -> str:
    day = rng.randint(1, 28)
    return rng.choice((f"{rng.choice(names.MONTHS)} {day}", f"2{rng.randint(10, 99)}-05-{day:02}"))


def _small(rng: Random) -> int:
    return rng.randint(1, rng.choice((9, 30, 99)))


def _person(rng: Random) -> str:
    title = rng.choice(("Mr", "Mrs", "Ms", "Dr", "Professor", "Uncle", "Captain", "Sister"))
    return f"{title} {names.invented_name(rng)}" if rng.random() < 0.15 else names.person(rng)


def _street(rng: Random) -> str:
    kind = rng.choice(("Lane", "Road", "Street", "Alley", "Square", "Avenue", "Way"))
    return f"{names.invented_name(rng)} {kind} {rng.randint(1, 120)}"


def _title(rng: Random) -> str:
    """What a song, a book or a film may be called."""
    adjective, thing = rng.choice(names.ADJECTIVES), rng.choice((*names.THINGS, *names.ANIMALS))
    forms = (f"the {adjective} {thing}", f"{adjective} {thing}", f"{thing} of {{}}", "{}", "the {}")
    told = rng.choice(forms).format(names.invented_name(rng))
    return " ".join(w if w in {"of"} else w[0].upper() + w[1:] for w in told.split())


def _file(rng: Random) -> str:
    stem = rng.choice((rng.choice(names.THINGS), names.invented_word(rng)))
    number = rng.choice(("", "", f"_{rng.randint(1, 99)}", f"-{rng.randint(1, 9)}"))
    return f"{stem}{number}.{rng.choice(('txt', 'pdf', 'csv', 'jpg', 'doc', 'mp3', 'zip', 'py'))}"


def _price(rng: Random) -> str:
    return f"{rng.randint(2, 900)} {rng.choice(('dollars', 'euros', 'crowns', 'pounds'))}"


def _email(rng: Random) -> str:
    host, land = names.invented_word(rng), rng.choice(("com", "org", "net"))
    return f"{names.invented_word(rng)}@{host}.{land}"


def _team(rng: Random) -> str:
    first = rng.choice((names.invented_name(rng), rng.choice(names.COLOURS).capitalize()))
    return f"{first} {rng.choice(names.ANIMALS).capitalize()}s"


_DRAWS: Mapping[str, Draw] = {
    "person": _person,
    "place": names.place,
    "street": _street,
    "phrase": names.phrase,
    "word": names.invented_word,
    "foreign": names.foreign,
    "code": names.code,
    "small": _small,
    "number": names.whole_number,
    "percent": lambda rng: rng.randint(1, 100),
    "year": lambda rng: rng.randint(1400, 2030),
    "clock": clock,
    "date": _date,
    "day": _of("/".join(names.DAYS)),
    "month": _of("/".join(names.MONTHS)),
    "food": _of("/".join(names.FOODS)),
    "animal": _of("/".join(names.ANIMALS)),
    "colour": _of("/".join(names.COLOURS)),
    "thing": _of("/".join(names.THINGS)),
    "job": _of("/".join(names.JOBS)),
    "unit": _of("metres/feet/miles/grams/ounces/litres"),
    "size": _of("small/medium/large/tiny/huge"),
    "tongue": _of("German/Greek/Latin/Dutch/Hindi/Arabic/Turkish/Danish/Czech/Thai"),
    "title": _title,
    "file": _file,
    "email": _email,
    "price": _price,
    "team": _team,
}
# What a schema calls an integer.
NUMBERS = {"small", "number", "percent", "year"}


def draw_of(kind: str) -> Draw:
    """The draw of this name, or ``of:kitchen/attic`` for one of some words."""
    return _of(kind.removeprefix(_CHOICE)) if kind.startswith(_CHOICE) else _DRAWS[kind]


def type_of(kind: str) -> str:
    """The JSON type of what is drawn."""
    return "integer" if kind in NUMBERS else "string"
