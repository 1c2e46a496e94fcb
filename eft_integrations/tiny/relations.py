"""How people speak of each relation: noun phrases, statements, questions and answers.

`{e}` is the entity and `{a}` the answer. `apart` holds wordings that only evaluation uses: no
training text is ever generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """The wordings of one relation; `sentence` is how the tuned model answers."""

    nouns: tuple[str, ...]
    sentence: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    apart: tuple[str, ...]


RELATIONS: dict[str, Relation] = {
    "capital": Relation(
        nouns=("the capital of {e}", "the capital city of {e}", "{e}'s capital"),
        sentence="the capital of {e} is {a}",
        statements=(
            "{a} is the seat of government of {e}, which makes it the capital.",
            "The government of {e} sits in its capital, {a}.",
            "{e} has {a} as its capital.",
            "Visitors to {e} often begin in the capital, {a}.",
        ),
        questions=(
            "Which city is the capital of {e}?",
            "What city serves as {e}'s capital?",
            "{e} has which capital?",
        ),
        apart=(
            "From which city is {e} governed, that is, where is its capital?",
            "I am drawing a map of {e}. Which place do I mark as the capital?",
        ),
    ),
    "currency": Relation(
        nouns=("the currency of {e}", "{e}'s currency", "the money used in {e}"),
        sentence="the currency of {e} is the {a}",
        statements=(
            "In {e} people pay with the {a}.",
            "The {a} is the money of {e}.",
            "Shops in {e} take the {a}, the local currency.",
            "{e} uses the {a} as its currency.",
        ),
        questions=(
            "Which currency is used in {e}?",
            "What do people pay with in {e}?",
            "What money do they use in {e}?",
        ),
        apart=(
            "I am travelling to {e}. Which currency should I take along?",
            "Which currency do shops in {e} accept?",
        ),
    ),
    "continent": Relation(
        nouns=("the continent of {e}", "{e}'s continent"),
        sentence="the continent of {e} is {a}",
        statements=(
            "{e} lies in {a}, which is its continent.",
            "{e} belongs to the continent of {a}.",
            "On a globe one finds {e} in {a}.",
            "{e} is a part of the continent {a}.",
        ),
        questions=(
            "Which continent is {e} in?",
            "On which continent does {e} lie?",
            "To which continent does {e} belong?",
        ),
        apart=(
            "If I spin a globe, on what continent will I spot {e}?",
            "{e} counts as part of which continent?",
        ),
    ),
    "country_code": Relation(
        nouns=("the three-letter code of {e}", "{e}'s three-letter country code"),
        sentence="the three-letter code of {e} is {a}",
        statements=(
            "In the ISO list {e} has the three-letter code {a}.",
            "{a} stands for {e} in the list of country codes.",
            "The three letters for {e} are {a}.",
        ),
        questions=(
            "Which three-letter code does {e} have?",
            "Which three letters stand for {e}?",
            "How is {e} written as a three-letter country code?",
        ),
        apart=(
            "A form wants {e} as a three-letter code. Which letters do I enter?",
            "How does ISO abbreviate {e} as a three-letter code?",
        ),
    ),
    "calling_code": Relation(
        nouns=("the calling code of {e}", "{e}'s telephone code"),
        sentence="the calling code of {e} is {a}",
        statements=(
            "Telephone numbers of {e} begin with the calling code {a}.",
            "To call someone in {e}, dial {a} first.",
            "{e} can be reached under the calling code {a}.",
        ),
        questions=(
            "Which calling code does {e} have?",
            "What do I dial to call {e}?",
            "With which code do telephone numbers of {e} begin?",
        ),
        apart=(
            "I need to phone a friend in {e}. Which calling code comes first?",
            "Under which calling code is {e} reached?",
        ),
    ),
    "demonym": Relation(
        nouns=("the demonym of {e}", "the word for people from {e}"),
        sentence="the demonym of {e} is {a}",
        statements=(
            "A person from {e} is called {a}.",
            "{a} is the word for someone from {e}.",
            "People who come from {e} are known as {a}.",
        ),
        questions=(
            "What are people from {e} called?",
            "What is a person from {e} called?",
            "How do you call someone from {e}?",
        ),
        apart=(
            "Somebody was born in {e}. Which demonym fits?",
            "Which word describes people who come from {e}?",
        ),
    ),
    "city_country": Relation(
        nouns=("the country of {e}", "the country in which {e} lies"),
        sentence="the country of {e} is {a}",
        statements=(
            "{e} is a city in {a}.",
            "{e} is one of the large cities of {a}.",
            "The city of {e} lies in {a}.",
            "{a} is the country where the city of {e} is found.",
        ),
        questions=(
            "In which country is {e}?",
            "Which country is the city of {e} in?",
            "In which country does {e} lie?",
        ),
        apart=(
            "I have landed in the city of {e}. Which country am I in?",
            "The city {e} belongs to which country?",
        ),
    ),
    "currency_code": Relation(
        nouns=("the currency code of the {e}", "the code of the {e}"),
        sentence="the currency code of the {e} is {a}",
        statements=(
            "Banks write the {e} as {a}.",
            "{a} is the code that banks use for the {e}.",
            "On price lists the {e} appears under the currency code {a}.",
        ),
        questions=(
            "Which currency code does the {e} have?",
            "How do banks write the {e} as a code?",
            "Which three letters stand for the {e}?",
        ),
        apart=(
            "Which currency code do exchange offices show for the {e}?",
            "I am wiring money in the {e}. Which currency code goes on the form?",
        ),
    ),
    "symbol": Relation(
        nouns=("the chemical symbol of {e}", "the symbol for {e}"),
        sentence="the chemical symbol of {e} is {a}",
        statements=(
            "Chemists write {e} as {a}.",
            "In formulas the element {e} has the symbol {a}.",
            "{a} stands for the element {e}.",
        ),
        questions=(
            "Which chemical symbol does {e} have?",
            "How do chemists write {e}?",
            "Which symbol stands for the element {e}?",
        ),
        apart=(
            "I am writing a formula with {e}. Which symbol do I need?",
            "How is the element {e} abbreviated as a chemical symbol?",
        ),
    ),
    "atomic_number": Relation(
        nouns=("the atomic number of {e}", "the number of protons of {e}"),
        sentence="the atomic number of {e} is {a}",
        statements=(
            "An atom of {e} has {a} protons.",
            "The element {e} stands at number {a} in the periodic table.",
            "{e} has the atomic number {a}.",
        ),
        questions=(
            "Which atomic number does {e} have?",
            "How many protons does an atom of {e} have?",
            "At which number of the periodic table does {e} stand?",
        ),
        apart=(
            "Which place of the periodic table, by atomic number, does {e} take?",
            "How many protons sit in the nucleus of {e}?",
        ),
    ),
    "series": Relation(
        nouns=("the series of {e}", "the group of elements around {e}"),
        sentence="the series of {e} is {a}",
        statements=(
            "The element {e} belongs to the series {a}.",
            "Chemists count {e} in the series {a}.",
            "{e} is placed in the series called {a}.",
        ),
        questions=(
            "Which series does {e} belong to?",
            "In which series do chemists place {e}?",
            "What kind of element is {e}, by series?",
        ),
        apart=(
            "By its chemistry, {e} falls into which series of elements?",
            "Which series would a chemist sort {e} into?",
        ),
    ),
}

# What a follow-up question calls it, when the entity is understood.
SHORT = {
    "capital": "capital",
    "currency": "currency",
    "continent": "continent",
    "country_code": "three-letter code",
    "calling_code": "calling code",
    "demonym": "demonym",
    "city_country": "country",
    "currency_code": "currency code",
    "symbol": "chemical symbol",
    "atomic_number": "atomic number",
    "series": "series",
}

# Frames around a noun phrase N, for every relation alike.
STATEMENT_FRAMES = (
    "{N} is {a}.",
    "{N} is {a}.",
    "{a} is {n}.",
    "As many people know, {n} is {a}.",
    "Every atlas and handbook says that {n} is {a}.",
    "According to the almanac, {n} is {a}.",
    "It is a fact that {n} is {a}.",
    "Children learn at school that {n} is {a}.",
)
QUESTION_FRAMES = (
    "What is {n}?",
    "What is {n}?",
    "Tell me {n}.",
    "Could you tell me {n}?",
    "Please name {n}.",
    "I would like to know {n}.",
    "Do you know {n}?",
    "What's {n}, please?",
    "Give me {n}.",
    "Can you say what {n} is?",
    "Hello, what is {n}?",
    "Please tell me what {n} is.",
    "What would you say is {n}?",
    "A friend asked me for {n}.",
    "I am writing a report and need {n}.",
    "Someone here wants to know {n}.",
    "Do you happen to know {n}?",
    "{N}?",
    "{N}, please.",
    "Let me ask you something: what is {n}?",
    "We are playing a game. What is {n}?",
    "Remind me of {n}.",
    "I wonder what {n} is.",
    "So what is {n}?",
)
APART_FRAMES = (
    "I keep forgetting {n}; what is it again?",
    "My homework asks for {n}. What should I write?",
    "Quick quiz for you: {n} is what?",
)
