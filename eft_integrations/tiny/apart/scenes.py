"""Tools as an application would have them, and requests that a person would write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eft_integrations.tiny.apart.draws import (
    CITY,
    DATE,
    DISH,
    HOUR,
    PERSON,
    SONG,
    TONGUE,
    WORD,
    Draw,
    between,
    one_of,
)


@dataclass(frozen=True)
class Scene:
    """A tool as an application would have it, and requests that a person would write."""

    name: str
    does: str
    takes: Mapping[str, tuple[str, Draw]]
    requests: tuple[str, ...]

    @property
    def schema(self) -> dict[str, Any]:
        properties = {key: {"type": kind} for key, (kind, _) in self.takes.items()}
        parameters = {"type": "object", "properties": properties, "required": list(self.takes)}
        told = {"name": self.name, "description": self.does, "parameters": parameters}
        return {"type": "function", "function": told}


SCENES = (
    Scene(
        "weather_forecast",
        "Tell the weather of tomorrow.",
        {"city": ("string", CITY)},
        ("Will I need an umbrella tomorrow in {city}?", "Weather for {city} tomorrow?"),
    ),
    Scene(
        "square_root",
        "Compute a square root.",
        {"value": ("integer", between(2, 9000))},
        ("What's the square root of {value}?", "Root of {value}, quickly."),
    ),
    Scene(
        "wake_up_call",
        "Set an alarm clock.",
        {"time": ("string", HOUR)},
        ("Wake me at {time} tomorrow, will you?", "An alarm for {time} would be great."),
    ),
    Scene(
        "translate_text",
        "Translate a text into another language.",
        {"text": ("string", WORD), "language": ("string", TONGUE)},
        ("How do you say {text} in {language}?", "Put {text} into {language} for me."),
    ),
    Scene(
        "add_to_basket",
        "Put a product into the shopping basket.",
        {"product": ("string", DISH), "quantity": ("integer", between(1, 12))},
        (
            "I'd like to have {product} in my basket, quantity {quantity}.",
            "Throw {product} into the basket; the quantity is {quantity}.",
        ),
    ),
    Scene(
        "send_email",
        "Send an e-mail.",
        {"recipient": ("string", PERSON), "subject": ("string", one_of("invoice", "holiday"))},
        (
            "Write an e-mail to {recipient} under the subject {subject}.",
            "E-mail for {recipient}, subject {subject}, go ahead.",
        ),
    ),
    Scene(
        "reserve_table",
        "Reserve a table at a restaurant.",
        {
            "name": ("string", PERSON),
            "guests": ("integer", between(2, 14)),
            "time": ("string", HOUR),
        },
        (
            "We are {guests} guests and would come at {time}. Reserve under the name {name}.",
            "A table, please: name {name}, guests {guests}, time {time}.",
        ),
    ),
    Scene(
        "currency_rate",
        "Look up an exchange rate.",
        {
            "source": ("string", one_of("EUR", "JPY", "CHF")),
            "target": ("string", one_of("USD", "INR")),
        },
        ("What is the rate from {source} to {target} today?", "{source} against {target}, please."),
    ),
    Scene(
        "stream_music",
        "Play a song in a room of the house.",
        {"song": ("string", SONG), "room": ("string", one_of("kitchen", "attic", "cellar"))},
        ("Let me hear {song} in the {room}.", "In the {room} I want to listen to {song}."),
    ),
    Scene(
        "thermostat",
        "Change the temperature of a room.",
        {
            "room": ("string", one_of("study", "bathroom", "hall")),
            "degrees": ("integer", between(12, 27)),
        },
        (
            "The {room} feels cold, make it {degrees} degrees.",
            "{degrees} degrees in the {room} now.",
        ),
    ),
    Scene(
        "find_flights",
        "Find flights between two cities on a day.",
        {
            "origin": ("string", one_of("Oslo", "Madrid", "Dakar")),
            "destination": ("string", one_of("Lima", "Perth", "Hanoi")),
            "date": ("string", DATE),
        },
        (
            "I fly from {origin} to {destination}. The date is {date}. Which flights are there?",
            "Flights, origin {origin}, destination {destination}, on {date}.",
        ),
    ),
    Scene(
        "locate_shipment",
        "Say where a parcel is.",
        {"number": ("string", one_of("RX-20931", "PK77140", "ZZ-4", "LV-903-18"))},
        ("Where is my parcel {number}?", "Has {number} arrived yet?"),
    ),
    Scene(
        "calorie_count",
        "Count the calories of a dish.",
        {"dish": ("string", DISH), "grams": ("integer", between(50, 700))},
        (
            "I had {grams} grams of {dish}; how many calories was that?",
            "Calories of {dish} when I eat {grams} grams?",
        ),
    ),
    Scene(
        "create_event",
        "Put an event into the calendar.",
        {
            "title": ("string", one_of("dentist", "board meeting", "chess club")),
            "date": ("string", DATE),
            "hour": ("integer", between(7, 21)),
        },
        (
            "My calendar lacks {title}: it is on {date}, hour {hour}.",
            "On {date} there is {title}. Put it at hour {hour}.",
        ),
    ),
    Scene(
        "multiply_numbers",
        "Multiply two numbers.",
        {"first": ("integer", between(2, 99)), "second": ("integer", between(2, 99))},
        ("What do I get for {first} times {second}?", "{first} multiplied by {second} is?"),
    ),
    Scene(
        "water_plants",
        "Water the plants for some minutes.",
        {"minutes": ("integer", between(1, 40))},
        ("The tomatoes look dry. Give them {minutes} minutes.", "Water for {minutes} minutes."),
    ),
    Scene(
        "library_search",
        "Search the catalogue of the library.",
        {"author": ("string", PERSON), "year": ("integer", between(1900, 2024))},
        (
            "Does the library have anything by {author} from the year {year}?",
            "Books of {author}, year {year}.",
        ),
    ),
    Scene(
        "transfer_money",
        "Transfer money to somebody.",
        {
            "receiver": ("string", PERSON),
            "amount": ("integer", between(5, 4000)),
            "purpose": ("string", one_of("rent", "birthday gift", "bike repair")),
        },
        (
            "{receiver} should get {amount} from my account, purpose: {purpose}.",
            "Pay {amount} to {receiver}. Purpose is {purpose}.",
        ),
    ),
    Scene(
        "dictionary",
        "Explain what a word means.",
        {"word": ("string", WORD)},
        ("I came across {word}. What does it mean?", "Meaning of {word}?"),
    ),
    Scene(
        "resize_image",
        "Make an image larger or smaller.",
        {
            "file": ("string", one_of("cat.png", "holiday_03.jpg", "logo.svg")),
            "width": ("integer", between(16, 4000)),
            "height": ("integer", between(16, 4000)),
        },
        (
            "{file} has the wrong size, I need width {width} and height {height}.",
            "Bring {file} to a width of {width}, and a height of {height}.",
        ),
    ),
    Scene(
        "stock_price",
        "Tell the price of a share.",
        {"symbol": ("string", one_of("NVX", "ABB", "TKQ", "OMV"))},
        ("How is {symbol} doing today?", "What does a share of {symbol} cost right now?"),
    ),
    Scene(
        "release_lock",
        "Unlock a door of the office.",
        {
            "door": ("string", one_of("north gate", "archive", "lab 2")),
            "pin": ("integer", between(1000, 9999)),
        },
        ("I stand before the {door}, my pin is {pin}.", "Open up the {door} with pin {pin}."),
    ),
    Scene(
        "train_times",
        "List the trains that leave a station.",
        {"station": ("string", CITY), "after": ("string", HOUR)},
        ("Which trains leave {station} after {after}?", "After {after}, what goes from {station}?"),
    ),
    Scene(
        "rate_film",
        "Give a film some stars.",
        {"film": ("string", SONG), "stars": ("integer", between(1, 5))},
        ("I watched {film} last night: {stars} stars.", "{film} deserves {stars} stars from me."),
    ),
    Scene(
        "how_far",
        "Measure the distance between two places.",
        {
            "start": ("string", one_of("Bergen", "Quito")),
            "end": ("string", one_of("Dover", "Salta")),
        },
        ("How far is it from {start} to {end}?", "Distance, start {start}, end {end}?"),
    ),
    Scene(
        "hire_bike",
        "Hire a bike for some hours.",
        {
            "hours": ("integer", between(1, 48)),
            "colour": ("string", one_of("teal", "cream", "red")),
        },
        (
            "A {colour} bike for {hours} hours, please.",
            "I'll take the {colour} one for {hours} hours.",
        ),
    ),
    Scene(
        "cut_video",
        "Cut a piece out of a video.",
        {
            "video": ("string", one_of("wedding.mp4", "goal.mov")),
            "start": ("integer", between(0, 90)),
            "end": ("integer", between(91, 400)),
        },
        (
            "From {video} I only want what lies between start {start} and end {end}.",
            "Cut {video}: the start is at {start}, the end at {end}.",
        ),
    ),
    Scene(
        "roll_dice",
        "Roll some dice.",
        {"dice": ("integer", between(1, 9)), "sides": ("integer", one_of(4, 6, 8, 12, 20))},
        (
            "Roll {dice} dice with {sides} sides each.",
            "I throw {dice} dice; each has {sides} sides.",
        ),
    ),
    Scene(
        "new_support_case",
        "Open a ticket for the support team.",
        {
            "customer": ("string", PERSON),
            "problem": ("string", one_of("no signal", "cracked screen", "lost login")),
            "priority": ("integer", between(1, 5)),
        },
        (
            "{customer} called about this problem: {problem}. Make it priority {priority}.",
            "New ticket, customer {customer}, problem {problem}, priority {priority}.",
        ),
    ),
    Scene(
        "order_taxi",
        "Order a taxi.",
        {
            "street": ("string", one_of("Elm Road 7", "Rua Augusta 12", "Kärntner Ring 3")),
            "time": ("string", HOUR),
            "seats": ("integer", between(1, 8)),
            "name": ("string", PERSON),
        },
        (
            "Pick us up at {time}, street {street}. It needs {seats} seats. Name: {name}.",
            "Taxi for {name}: {street}, {time}, with {seats} seats.",
        ),
    ),
    Scene(
        "mix_paint",
        "Mix two colours of paint.",
        {
            "first": ("string", one_of("ochre", "navy", "lime")),
            "second": ("string", one_of("ivory", "rust", "plum")),
            "litres": ("integer", between(1, 60)),
        },
        (
            "Mix {first} as the first and {second} as the second colour, {litres} litres of it.",
            "{litres} litres of paint: first {first}, second {second}.",
        ),
    ),
    Scene(
        "lookup_customer",
        "Look up a customer.",
        {"customer": ("string", PERSON)},
        ("Who is {customer}? Check our customers.", "Pull up the record of {customer}."),
    ),
)
