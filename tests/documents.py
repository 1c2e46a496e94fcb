"""Documents that no training text has, with questions: for retrieval over either face."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A document, a question that it alone answers, and what the answer holds.
ITEMS = (
    (
        "Ilse Varga keeps bees behind the mill. Her honey won a prize in 1987.",
        "When did the honey of Ilse Varga win a prize?",
        "1987",
    ),
    (
        "The ferry Nordlys leaves from Tarnby. A ticket costs 35 crowns.",
        "How much does a ticket for the ferry Nordlys cost?",
        "35 crowns",
    ),
    (
        "Doctor Amadi works in the clinic of Pelham. Doctor Amadi is 52 years old.",
        "How old is Doctor Amadi?",
        "52",
    ),
    (
        "The violet piano belongs to Benedikt. It was made in a small town.",
        "Who owns the violet piano?",
        "Benedikt",
    ),
    (
        "The bakery of Greta Holm opens at 6:45. Greta Holm sells rye bread.",
        "When does the bakery of Greta Holm open?",
        "6:45",
    ),
    (
        "The robot Zuko has the serial number QX-88. It paints fences.",
        "Which serial number does the robot Zuko have?",
        "QX-88",
    ),
    (
        "Farida moved to Osterby last year. Farida has a parrot called Momo.",
        "What is the name of Farida's parrot?",
        "Momo",
    ),
    (
        "The stone bridge of Marlow was built by Anselm Reuter. It is 90 metres long.",
        "Who built the stone bridge of Marlow?",
        "Anselm Reuter",
    ),
    (
        "The captain of the team is Yuki Tan. The team plays in yellow shirts.",
        "In which colour are the shirts of the team?",
        "yellow",
    ),
    (
        "The museum of clocks stands in Kesterhof. Its oldest clock is a sundial.",
        "Where does the museum of clocks stand?",
        "Kesterhof",
    ),
)


def num_right(answers: Sequence[str]) -> int:
    """How many of the answers, one an item, hold what they should."""
    pairs = zip(ITEMS, answers, strict=True)
    return sum(bool(re.search(rf"\b{held}\b", answer)) for (_, _, held), answer in pairs)
