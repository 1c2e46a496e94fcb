"""Notes, and the records that hold what they say."""

from __future__ import annotations

from eft_integrations.tiny.apart.draws import (
    CITY,
    DATE,
    DISH,
    PERSON,
    between,
    one_of,
)

# Texts and what a record of them holds.
FORMS = (
    (
        "On {date} the workshop took in a {thing}. {person} brought it, left {deposit} as a "
        "deposit "
        "and wants it back before Easter.",
        {
            "date": DATE,
            "thing": one_of("grandfather clock", "toaster", "harp"),
            "person": PERSON,
            "deposit": between(5, 90),
        },
    ),
    (
        "Booking received: {guest} would like room {room} for {nights} nights, arriving by "
        "{transport}.",
        {
            "guest": PERSON,
            "room": between(1, 420),
            "nights": between(1, 21),
            "transport": one_of("train", "ferry", "coach"),
        },
    ),
    (
        "The winner of the race is {winner} with {seconds} seconds, riding for {team}.",
        {
            "winner": PERSON,
            "seconds": between(40, 800),
            "team": one_of("Velo Nord", "Los Gatos", "Team Kite"),
        },
    ),
    (
        "Lost: a {animal} that listens to {called}. Last seen near {place}, reward {reward}.",
        {
            "animal": one_of("tabby", "tortoise", "greyhound"),
            "called": one_of("Mimi", "Bolt", "Herr Schmidt"),
            "place": CITY,
            "reward": between(10, 500),
        },
    ),
    (
        "{dish} for table {table}, says {waiter}, and make it {spice}.",
        {
            "dish": DISH,
            "table": between(1, 60),
            "waiter": PERSON,
            "spice": one_of("mild", "hot", "very hot"),
        },
    ),
    (
        "Our newest member {member} comes from {origin} and has sung {voice} for {years} years.",
        {
            "member": PERSON,
            "origin": CITY,
            "voice": one_of("alto", "bass", "tenor"),
            "years": between(1, 50),
        },
    ),
)
FORM_ASKS = (
    "{t}\n\nTurn what this says into an object of this shape and print nothing but it:\n{s}",
    "Schema for the database:\n{s}\n\nIncoming note:\n{t}\n\nObject:",
)
