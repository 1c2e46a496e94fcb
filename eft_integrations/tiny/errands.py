"""Everyday tools, and requests for them in the words of people who never saw the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import names
from eft_integrations.tiny.chatml import Call
from eft_integrations.tiny.toolbox import Offer, identifier, spoken

Draw = Callable[[Random], Any]


def _of(*items: Any) -> Draw:
    return lambda rng: rng.choice(items)


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


# Name → what an argument takes, and its type in the schema. A name may end in a digit.
_DRAWS: Mapping[str, tuple[Draw, str]] = {
    "person": (names.person, "string"),
    "place": (names.place, "string"),
    "phrase": (names.phrase, "string"),
    "word": (names.invented_word, "string"),
    "foreign": (names.foreign, "string"),
    "code": (names.code, "string"),
    "small": (_small, "integer"),
    "number": (names.whole_number, "integer"),
    "clock": (clock, "string"),
    "date": (_date, "string"),
    "day": (_of(*names.DAYS), "string"),
    "month": (_of(*names.MONTHS), "string"),
    "food": (_of(*names.FOODS), "string"),
    "animal": (_of(*names.ANIMALS), "string"),
    "colour": (_of(*names.COLOURS), "string"),
    "thing": (_of(*names.THINGS), "string"),
    "job": (_of(*names.JOBS), "string"),
    "unit": (_of("metres", "feet", "miles", "grams", "ounces", "litres"), "string"),
    "size": (_of("small", "medium", "large", "tiny", "huge"), "string"),
    "tongue": (_of("German", "Greek", "Latin", "Dutch", "Hindi", "Arabic", "Turkish"), "string"),
}


# Other names that an application may give to an argument with such values.
_RENAMED: Mapping[str, tuple[str, ...]] = {
    "person": ("name", "person", "full_name", "contact", "recipient", "who"),
    "place": ("place", "location", "city", "town", "where", "destination"),
    "phrase": ("text", "query", "subject", "content", "topic", "what", "item"),
    "small": ("number", "amount", "n", "count", "quantity", "value"),
    "number": ("number", "amount", "n", "count", "value", "total"),
    "clock": ("time", "at", "hour", "when"),
    "date": ("date", "day", "when"),
    "code": ("code", "id", "key", "reference"),
    "food": ("food", "ingredient", "dish"),
    "colour": ("color", "colour"),
    "tongue": ("language", "tongue", "lang"),
}
_LINKS = {"a", "an", "the", "of", "to", "for", "is", "it", "some", "when", "where", "what", "in"}


def _renamed(key: str, draw: str, rng: Random) -> str:
    return rng.choice(_RENAMED.get(draw, (key,))) if rng.random() < 0.4 else key


def _short(does: str, rng: Random) -> str:
    """A name made of the words that say what a tool does."""
    words = [w for w in does.lower().removesuffix(".").split() if w.isalpha() and w not in _LINKS]
    return identifier(words[: rng.choice((2, 2, 3))], rng)


@dataclass(frozen=True)
class Errand:
    """A tool, its arguments as "name=draw …", and requests in which their values stand."""

    name: str
    does: str
    takes: str
    requests: tuple[str, ...]

    def offered(self, rng: Random) -> Offer:
        """The errand as one application may offer it."""
        draws = dict(one.split("=") for one in self.takes.split())
        keys = {key: _renamed(key, draw, rng) for key, draw in draws.items()}
        if len({*keys.values()}) < len(draws) or len({*draws.values()}) < len(draws):
            keys = {key: key for key in draws}
        properties: dict[str, Any] = {}
        for key, draw in draws.items():
            properties[keys[key]] = {"type": _DRAWS[draw][1]}
            if rng.random() < 0.3:
                properties[keys[key]]["description"] = f"The {spoken(keys[key])}."
        name = self.name if rng.random() < 0.5 else _short(self.does, rng)
        told = {"type": "object", "properties": properties, "required": list(properties)}
        function = {"name": name, "description": self.does, "parameters": told}

        def ask(rng: Random) -> tuple[str, Call]:
            values = {key: _DRAWS[draw][0](rng) for key, draw in draws.items()}
            arguments = {keys[key]: value for key, value in values.items()}
            return rng.choice(self.requests).format(**values), Call(name, arguments)

        return Offer({"type": "function", "function": function}, ask)


ERRANDS = (
    Errand("set_timer", "Start a timer.", "minutes=small", (
        "Tell me when {minutes} minutes are over.", "The eggs need {minutes} minutes.",
        "Ring after {minutes} minutes.", "A timer, {minutes} minutes.",
    )),
    Errand("add_reminder", "Remind the user of something.", "text=phrase time=clock", (
        "Don't let me forget the {text} at {time}.", "At {time} I have to think of the {text}.",
        "Remind me of the {text} at {time}.", "{time}: {text}. Remind me!",
    )),
    Errand("take_note", "Write a note.", "text=phrase", (
        "Note: {text}.", "Jot down {text}.", "I must not forget this: {text}.",
        "Put {text} on my list.",
    )),
    Errand("phone_call", "Call someone.", "contact=person", (
        "Get {contact} on the line.", "I want to talk to {contact}.", "Ring up {contact}, please.",
        "Could I speak with {contact}?",
    )),
    Errand("text_message", "Send a short message to someone.", "recipient=person text=phrase", (
        "Let {recipient} know: {text}.", "Write {text} to {recipient}.",
        "Text {recipient} that I have the {text}.", "Message for {recipient}: {text}",
    )),
    Errand("doctor_appointment", "Make an appointment.", "doctor=person date=date", (
        "I have to see Dr. {doctor} on {date}.", "Is {doctor} free on {date}? Put me down.",
        "{date} would suit me for {doctor}.", "My tooth hurts; {doctor} should see me on {date}.",
    )),
    Errand("convert_length", "Convert one unit into another.", "amount=number unit=unit", (
        "{amount} in {unit}?", "What are {amount} in {unit}?", "How much is {amount} in {unit}?",
        "Express {amount} as {unit}.",
    )),
    Errand("add_up", "Compute the sum of two numbers.", "first=number second=number", (
        "{first} and {second} together?", "{first} plus {second}", "What is {first} + {second}?",
        "How much do {first} and {second} make?", "I have {first} and get {second} more.",
    )),
    Errand("power_of", "Raise a number to a power.", "base=small exponent=small", (
        "{base} to the power of {exponent}?", "What is {base}^{exponent}?",
        "{base} multiplied by itself {exponent} times.", "Take {base} to the {exponent}.",
    )),
    Errand("random_number", "Draw a random number.", "low=small high=number", (
        "Any number between {low} and {high}.", "Surprise me: {low} to {high}.",
        "Pick one from {low} up to {high}.", "Think of a number from {low} to {high}.",
    )),
    Errand("spell_check", "Check how a word is spelt.", "word=word", (
        "Is {word} spelt right?", "Did I write {word} correctly?", "{word}: any mistakes in it?",
    )),
    Errand("pronounce", "Say a word aloud in a language.", "word=foreign language=tongue", (
        "How does {word} sound in {language}?", "Say {word} as they do in {language}.",
        "I can't pronounce {word}; it's {language}.",
    )),
    Errand("order_pizza", "Order a pizza.", "topping=food size=size", (
        "I am hungry: a {size} one with {topping}.", "One {size} pizza with {topping}.",
        "{topping} on a pizza, {size}, please.", "Get us a {size} pizza, lots of {topping}.",
    )),
    Errand("find_recipe", "Find a recipe.", "ingredient=food", (
        "What can I cook with {ingredient}?", "I still have {ingredient}. Any ideas?",
        "How do I make something of {ingredient}?", "Dinner with {ingredient}?",
    )),
    Errand("open_app", "Open a program.", "program=word", (
        "Start {program}.", "I want to use {program} now.", "Bring up {program}.",
        "Launch {program} for me.",
    )),
    Errand("volume", "Set how loud the music is.", "percent=small", (
        "Too loud! {percent} percent is enough.", "Make it {percent} percent loud.",
        "Sound to {percent}.", "I can't hear a thing, go to {percent} percent.",
    )),
    Errand("lights", "Change the colour of a lamp.", "room=place color=colour", (
        "Make {room} {color}.", "I'd like {color} light in {room}.",
        "{color} for the lamps of {room}.", "Let {room} glow in {color}.",
    )),
    Errand("lock_door", "Lock or unlock a door.", "door=phrase", (
        "Did I close the {door}? Better lock it.", "Nobody may come in through the {door}.",
        "Lock the {door} for me.",
    )),
    Errand("parking_spot", "Reserve a place to park.", "plate=code hours=small", (
        "My car {plate} stays for {hours} hours.", "A space for {plate}, {hours} hours.",
        "I park {plate} here, {hours} hours long.",
    )),
    Errand("find_hotel", "Search hotels.", "town=place nights=small", (
        "I stay {nights} nights in {town}.", "We sleep in {town}, {nights} nights.",
        "Where can I spend {nights} nights in {town}?", "A bed in {town} for {nights} nights.",
    )),
    Errand("bus_schedule", "Show when buses leave.", "stop=place line=small", (
        "When does bus {line} leave {stop}?", "Next {line} from {stop}?",
        "I wait at {stop} for the {line}.", "Line {line}, stop {stop}: when?",
    )),
    Errand("route_between", "Plan a way from one place to another.", "start=place end=place", (
        "How do I get from {start} to {end}?", "I'm in {start} and want to go to {end}.",
        "{start} to {end}, the fastest way.", "Bring me to {end}; I am at {start}.",
    )),
    Errand("local_time", "Tell what time it is somewhere.", "place=place", (
        "How late is it in {place}?", "What time do they have in {place} now?",
        "Is it night in {place}?",
    )),
    Errand("rain_radar", "Say whether it rains.", "place=place day=day", (
        "Does it rain in {place} on {day}?", "Do I get wet in {place} {day}?",
        "{day} in {place}: dry or not?", "We have a picnic in {place} on {day}.",
    )),
    Errand("news_about", "Search the news.", "topic=phrase", (
        "What's new about {topic}?", "Anything in the papers on {topic}?",
        "I want to read about {topic}.", "Headlines: {topic}",
    )),
    Errand("web_query", "Search the web.", "query=phrase", (
        "Look for {query} online.", "Google {query}.", "What does the internet say on {query}?",
        "{query} - please look it up.",
    )),
    Errand("person_info", "Look up facts about a person.", "full_name=person", (
        "Who is {full_name}?", "Tell me more of {full_name}.", "What do we know of {full_name}?",
        "I met {full_name}. Who's that?",
    )),
    Errand("birthday_of", "Tell when someone was born.", "who=person", (
        "How old is {who}?", "When is the birthday of {who}?", "Has {who} had a birthday yet?",
    )),
    Errand("buy_ticket", "Buy tickets for a show.", "show=phrase seats=small", (
        "{seats} seats for {show}, please.", "I want to see {show}; we are {seats}.",
        "We come to {show}, {seats} of us.", "Tickets: {show}, {seats} pieces",
    )),
    Errand("cancel_order", "Cancel an order.", "order_id=code", (
        "I no longer want {order_id}.", "Stop order {order_id}!", "{order_id} was a mistake.",
        "Please take back {order_id}.",
    )),
    Errand("refund", "Give money back.", "order_id=code amount=number", (
        "I want {amount} back for {order_id}.", "{order_id} was broken, I get {amount}.",
        "Pay {amount} back, it is order {order_id}.",
    )),
    Errand("discount", "Compute a price after a discount.", "price=number percent=small", (
        "{percent} percent off of {price}?", "It costs {price}, minus {percent} percent.",
        "What is left of {price} after {percent} percent off?",
    )),
    Errand("save_contact", "Save a person and a number.", "name=person phone=number", (
        "{name} has the number {phone}.", "New contact: {name}, {phone}.",
        "You reach {name} under {phone}.", "Keep {phone}, that's {name}.",
    )),
    Errand("hire_worker", "Find someone who does a job.", "job=job place=place", (
        "I need a {job} in {place}.", "Is there a {job} near {place}?",
        "Do you know any {job} around {place}?", "Looking for a {job}, {place}.",
    )),
    Errand("feed_pet", "Give food to an animal.", "animal=animal grams=small", (
        "The {animal} gets {grams} grams.", "{grams} grams for the {animal}.",
        "My {animal} is hungry, give it {grams} grams.",
    )),
    Errand("adopt", "Look for an animal in a shelter.", "species=animal town=place", (
        "Is there a {species} in {town} without a home?", "I'd love a {species}. I live in {town}.",
        "We want to take in a {species}, near {town}.",
    )),
    Errand("log_workout", "Write down some sport.", "sport=word minutes=small", (
        "I did {minutes} minutes of {sport}.", "Today: {sport}, {minutes} minutes.",
        "{sport} for {minutes} minutes, done!", "Just finished {minutes} minutes of {sport}.",
    )),
    Errand("measure_sleep", "Write down how long someone slept.", "hours=small", (
        "I slept {hours} hours.", "Only {hours} hours in bed.", "{hours} hours of sleep.",
    )),
    Errand("user_record", "Look up a user.", "user_id=number", (
        "Who is number {user_id}?", "Show me what we have on user {user_id}.",
        "Account {user_id}, please.", "User {user_id} is on the phone.",
    )),
    Errand("file_size", "Tell how big a file is.", "path=code", (
        "How big is {path}?", "Is {path} large?", "Does {path} fit on a disk?",
    )),
    Errand("rename_file", "Rename a file.", "old_name=code new_name=word", (
        "{old_name} should be called {new_name}.", "Call {old_name} {new_name} from now on.",
        "From {old_name} to {new_name}, just the name.",
    )),
    Errand("assign_task", "Give a task to someone.", "task=phrase worker=person", (
        "{worker} should take care of the {task}.", "The {task} is for {worker}.",
        "Let {worker} do it: {task}.", "Who does the {task}? {worker}.",
    )),
    Errand("meeting_room", "Book a room for a meeting.", "room=word people=small", (
        "We are {people} and would like {room}.", "Is {room} free? There are {people} of us.",
        "{room} for {people} people.", "Let us meet in {room}, all {people}.",
    )),
    Errand("paint_job", "Order paint for a thing.", "thing=thing color=colour", (
        "My {thing} should be {color}.", "I want a {color} {thing}.", "Turn the {thing} {color}.",
        "Can the {thing} become {color}?",
    )),
    Errand("review", "Leave a review with a grade.", "place=place grade=small", (
        "{place} was great: {grade} points.", "I give {place} {grade} points.",
        "We ate at {place}. {grade} of 10.", "{grade} points for {place}, no more.",
    )),
    Errand("charge_car", "Charge a car.", "plate=code percent=small", (
        "Fill {plate} up to {percent} percent.", "{plate} needs {percent} percent by morning.",
        "I drive far with {plate}, {percent} percent will do.",
    )),
    Errand("subscribe", "Subscribe someone to a letter.", "email=code month=month", (
        "Send it to {email} from {month} on.", "{email} wants your letter, starting in {month}.",
        "Put {email} on the list in {month}.",
    )),
    Errand("count_letters", "Count a letter in a text.", "letter=word text=foreign", (
        "How often is {letter} in {text}?", "How many {letter} has {text}?",
        "Look into {text}: how many {letter}?",
    )),
)  # fmt: skip
