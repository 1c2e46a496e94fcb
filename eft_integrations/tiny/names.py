"""Words that mean nothing and words that mean something, so that a reader must copy them.

A model that reads or calls a tool has to repeat what it was given. These draw the material:
invented names, common words, numbers, codes, and text in other scripts.
"""

from __future__ import annotations

from random import Random

_ONSETS = ("b d f g h j k l m n p r s t v w z br dr gr kr pl st tr sh ch th qu").split()
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "io", "ou", "ee"]
_CODAS = ["", "", "", "", "n", "r", "l", "s", "m", "t", "x", "nd", "rk", "ss"]

FIRST_NAMES = (
    "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karin Leo Maria Nils Olga Peter "
    "Rosa Simon Tara Ulrich Vera Walter Yasmin Zoe Ahmed Bela Chloe Dario Emma Farid Gina Hana "
    "Ivan Julia Kofi Lucia Marco Nadia Oscar Petra Rahul Sofia Tomas Uma Viktor Wendy Xenia "
    "Yuri"
).split()
PLACES = (
    "Riverside Oakfield Milltown Eastbrook Harbourview Stonebridge Northgate Greenhill Westlake "
    "Ashford Redcliff Highmoor Fairwater Longmeadow Silverton Blackwood Springdale Kingsport"
).split()
COLOURS = (
    "red blue green white black yellow brown grey purple orange pink silver golden violet"
).split()
THINGS = (
    "apple lamp book stone boat key cup letter map coin table window garden bridge ticket "
    "jacket camera violin basket mirror candle ladder bottle blanket bicycle kettle pencil "
    "carpet hammer engine painting sandwich umbrella notebook piano rope shirt clock wallet "
    "drum chair"
).split()
ADJECTIVES = (
    "small large old new quiet heavy light bright round narrow warm cold clean broken soft "
    "sharp quick slow early late open empty simple strange plain short long deep high low"
).split()
ANIMALS = (
    "cat dog horse goat owl fox parrot rabbit turtle goose hamster pony spider snake sheep crow"
).split()
JOBS = (
    "baker teacher painter pilot doctor farmer singer lawyer gardener dentist tailor driver "
    "nurse plumber sailor writer cook carpenter librarian miner"
).split()
FOODS = (
    "bread rice soup cheese honey pasta salad pancakes dumplings noodles beans pie fish plums "
    "lentils olives cake porridge mushrooms berries"
).split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

_SCRIPTS = (
    "àâäçéèêëîïôöùûüñõãåæøßłśżčřž",
    "абвгдежзиклмнопрстухцчшыэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里",
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん",
    "アイウエオカキクケコサシスセソタチツテトナニネハヒフマミムメモヤラリルレロワン",
    "가나다라마바사아자차카타파하고노도로모보소오조초구누두루무부수우주",
    "ابتثجحخدرزسشصضطظعغفقكلمنهوي",
)


def syllable(rng: Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)


def invented_word(rng: Random, shortest: int = 1, longest: int = 2) -> str:
    """A word that means nothing, in lower case."""
    return "".join(syllable(rng) for _ in range(rng.randint(shortest, longest)))


def invented_name(rng: Random) -> str:
    """A name that means nothing, so that reading must copy instead of recalling."""
    return invented_word(rng, 2, rng.choice((2, 2, 3))).capitalize()


def person(rng: Random) -> str:
    """A first name, an invented one, or two in a row."""
    first = rng.choice(FIRST_NAMES) if rng.random() < 0.4 else invented_name(rng)
    return f"{first} {invented_name(rng)}" if rng.random() < 0.25 else first


def place(rng: Random) -> str:
    if rng.random() < 0.3:
        return rng.choice(PLACES)
    prefix = rng.choice(("", "", "", "", "Port ", "New ", "San ", "Lake "))
    return prefix + invented_name(rng)


def foreign(rng: Random) -> str:
    """A few letters of one other script; Latin ones stand inside an invented word."""
    script = rng.choice(_SCRIPTS)
    letters = "".join(rng.choices(script, k=rng.randint(2, 6)))
    if script is _SCRIPTS[0]:
        return (invented_word(rng, 1, 2) + letters[:2] + invented_word(rng, 1, 1)).capitalize()
    return letters.capitalize()


def phrase(rng: Random) -> str:
    """One to four common words in lower case."""
    words = rng.choice((THINGS, FOODS, ANIMALS, JOBS))
    parts = [rng.choice(words)]
    if rng.random() < 0.6:
        parts.insert(0, rng.choice(rng.choice((ADJECTIVES, COLOURS))))
    if rng.random() < 0.3:
        parts += ["and", rng.choice(THINGS)]
    return " ".join(parts)


def code(rng: Random) -> str:
    """An identifier as machines give them: AB-4071, x93k, 2024-05-17."""
    form = rng.randrange(4)
    if form == 0:
        letters = "".join(rng.choices("ABCDEFGHIJKLMNPQRSTUVWXYZ", k=rng.randint(1, 3)))
        return f"{letters}-{rng.randint(1, 9999)}"
    if form == 1:
        return "".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789", k=rng.randint(3, 7)))
    if form == 2:
        return f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    name = invented_word(rng, 1, 2)
    return f"{name}@{invented_word(rng, 1, 2)}.{rng.choice(('com', 'org', 'net'))}"


def whole_number(rng: Random) -> int:
    """Small ones mostly, as people write them."""
    return rng.randint(0, rng.choice((9, 20, 99, 500, 9999, 1_000_000)))
