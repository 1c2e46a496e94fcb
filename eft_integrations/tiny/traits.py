"""What a text can say of a person or a thing, each with the questions that it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from eft_integrations.tiny import names


@dataclass(frozen=True)
class Trait:
    """Something that a text can say of a subject: {s} is the subject and {v} the value."""

    name: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    value: Callable[[Random], str]


def _of(words: list[str]) -> Callable[[Random], str]:
    return lambda rng: rng.choice(words)


def _number(low: int, high: int) -> Callable[[Random], str]:
    return lambda rng: str(rng.randint(low, high))


def _time(rng: Random) -> str:
    return f"{rng.randint(1, 12)}:{rng.choice(('00', '15', '20', '30', '45'))}"


def _day(rng: Random) -> str:
    return f"{rng.choice(names.MONTHS)} {rng.randint(1, 28)}"


def _price(rng: Random) -> str:
    return f"{rng.randint(2, 900)} {rng.choice(('dollars', 'euros', 'crowns', 'pounds'))}"


def _distance(rng: Random) -> str:
    return f"{rng.randint(2, 900)} {rng.choice(('miles', 'kilometres', 'metres'))}"


PERSON_TRAITS = (
    Trait(
        "home",
        ("{s} lives in {v}.", "The home of {s} is in {v}.", "{s} has a house in {v}."),
        ("Where does {s} live?", "In which town does {s} live?", "Where is the home of {s}?"),
        names.place,
    ),
    Trait(
        "job",
        ("{s} works as a {v}.", "{s} is a {v} by trade.", "The job of {s} is {v}."),
        ("What does {s} work as?", "What is the job of {s}?", "Which job does {s} have?"),
        _of(names.JOBS),
    ),
    Trait(
        "age",
        ("{s} is {v} years old.", "The age of {s} is {v}.", "{s} turned {v} this year."),
        ("How old is {s}?", "What is the age of {s}?"),
        _number(5, 99),
    ),
    Trait(
        "colour",
        ("{s} likes the colour {v} best.", "The favourite colour of {s} is {v}."),
        ("Which colour does {s} like?", "What is the favourite colour of {s}?"),
        _of(names.COLOURS),
    ),
    Trait(
        "pet",
        ("{s} keeps a {v} as a pet.", "{s} owns a {v}.", "The pet of {s} is a {v}."),
        ("Which pet does {s} have?", "What animal does {s} keep?", "What is the pet of {s}?"),
        _of(names.ANIMALS),
    ),
    Trait(
        "food",
        ("{s} loves to eat {v}.", "The favourite food of {s} is {v}."),
        ("What does {s} love to eat?", "What is the favourite food of {s}?"),
        _of(names.FOODS),
    ),
    Trait(
        "friend",
        ("{s} has a friend called {v}.", "The best friend of {s} is {v}."),
        ("Who is the friend of {s}?", "What is the name of {s}'s friend?"),
        names.person,
    ),
    Trait(
        "birthday",
        ("{s} was born on {v}.", "The birthday of {s} is {v}."),
        ("When was {s} born?", "On which day was {s} born?", "When is the birthday of {s}?"),
        _day,
    ),
    Trait(
        "bought",
        ("{s} bought a {v} at the market.", "At the market {s} paid for a {v}."),
        ("What did {s} buy?", "What did {s} buy at the market?"),
        names.phrase,
    ),
    Trait(
        "school",
        ("{s} went to school in {v}.", "As a child {s} attended a school in {v}."),
        ("Where did {s} go to school?", "In which place did {s} attend school?"),
        names.place,
    ),
)
THING_TRAITS = (
    Trait(
        "price",
        ("The {s} costs {v}.", "The price of the {s} is {v}.", "One pays {v} for the {s}."),
        ("How much does the {s} cost?", "What is the price of the {s}?"),
        _price,
    ),
    Trait(
        "owner",
        ("The {s} belongs to {v}.", "The owner of the {s} is {v}."),
        ("Who owns the {s}?", "To whom does the {s} belong?", "Who is the owner of the {s}?"),
        names.person,
    ),
    Trait(
        "maker",
        ("The {s} was made by {v}.", "{v} built the {s}.", "The {s} is a work of {v}."),
        ("Who made the {s}?", "Who built the {s}?", "By whom was the {s} made?"),
        names.person,
    ),
    Trait(
        "place",
        ("The {s} stands in {v}.", "One can find the {s} in {v}.", "The {s} is kept in {v}."),
        ("Where is the {s}?", "Where can one find the {s}?", "In which town is the {s} kept?"),
        names.place,
    ),
    Trait(
        "opening",
        ("The {s} can be seen from {v} on.", "The {s} opens at {v}."),
        ("When does the {s} open?", "From what time can the {s} be seen?"),
        _time,
    ),
    Trait(
        "code",
        ("The {s} has the number {v}.", "The code of the {s} is {v}."),
        ("What is the number of the {s}?", "Which code does the {s} have?"),
        names.code,
    ),
    Trait(
        "year",
        ("The {s} dates from {v}.", "The {s} was finished in {v}."),
        ("From which year is the {s}?", "When was the {s} finished?"),
        _number(1400, 2020),
    ),
    Trait(
        "distance",
        ("The {s} is {v} away from the station.", "From the station to the {s} it is {v}."),
        ("How far is the {s} from the station?", "How far away is the {s}?"),
        _distance,
    ),
    Trait(
        "password",
        ("The word that opens the {s} is {v}.", "To open the {s}, say {v}."),
        ("Which word opens the {s}?", "What must one say to open the {s}?"),
        lambda rng: names.invented_word(rng, 2, 2),
    ),
)
