"""Agents that write their steps in lines of text, and agents that pass requests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from eft_integrations.tiny import calling, names, tasks
from eft_integrations.tiny.chatml import Call, Turn
from eft_integrations.tiny.definitions import definition
from eft_integrations.tiny.exercise import Exercise
from eft_integrations.tiny.framing import as_json, fixed, framed, listed
from eft_integrations.tiny.talk import plain, system_turns
from eft_integrations.tiny.toolbox import Offer


@dataclass(frozen=True)
class _Layout:
    """The labels of the lines that an agent writes; with ``is_joined`` the call is one line."""

    thought: str
    action: str
    given: str
    seen: str
    end: str
    is_joined: bool

    def step(self, call: Call) -> str:
        """The lines that run a function: one thought for all, since descriptions are odd in it."""
        lines = [f"{self.thought}: I need {call.name} for this."]
        if self.is_joined:
            body = as_json({"name": call.name, "input": dict(call.arguments)})
            return "\n".join([*lines, f"{self.action}: {body}"])
        lines += [f"{self.action}: {call.name}", f"{self.given}: {as_json(dict(call.arguments))}"]
        return "\n".join(lines)

    def told(self, listed_names: str, rng: Random) -> str:
        """The layout as a prompt prescribes it."""
        why, what, which, result, say = rng.choice(_PLACEHOLDERS)
        call = [f"{self.action}: {which.format(n=listed_names)}", f"{self.given}: {what}"]
        if self.is_joined:
            call = [
                f'{self.action}: {{"name": "{which.format(n=listed_names)}", "input": {{...}}}}'
            ]
        once = [f"{self.thought}: {why}", *call, f"{self.seen}: {result}"]
        last = [f"{self.thought}: {why}", f"{self.end}: {say}"]
        head, middle = rng.choice(_LAYOUT_HEADS)
        return "\n".join([head, *once, middle, *last])


_PLACEHOLDERS = (
    ("<why>", "<JSON object>", "<one of {n}>", "<comes from outside>", "<for the user>"),
    ("what to do next", "its input as JSON", "one of {n}", "what it gave back", "the outcome"),
    ("...", "{...}", "{n}", "...", "..."),
    ("(consider)", "(JSON)", "(a name: {n})", "(wait for it)", "(tell the user)"),
    ("your idea", "an object with its values", "the name", "you get this", "what the user reads"),
    ("[idea]", "[values in JSON]", "[{n}]", "[filled in for you]", "[last word]"),
)
_LAYOUT_HEADS = (
    ("Write each step so:", "When you are done:"),
    ("Use these lines:", "(again, as often as needed)\nAnd in the end:"),
    ("The layout of a step:", "The layout of the end:"),
    ("To run a function:", "To finish:"),
    ("Lines to write:", "Once you know enough:"),
    ("A step looks like this.", "The last one looks like this."),
)


def _layout(rng: Random) -> _Layout:
    action, given = rng.choice(
        (
            ("Action", "Action Input"),
            ("Action", "Action Input"),
            ("Tool", "Arguments"),
            ("Use", "Input"),
            ("Tool", "Input"),
            ("Function", "Parameters"),
            ("Act", "With"),
            ("Run", "Values"),
        )
    )
    labels = (
        rng.choice(("Thought", "Thought", "Reasoning", "Plan", "Idea", "Thinking")),
        action,
        given,
        rng.choice(("Observation", "Observation", "Result", "Output", "Returned", "Seen")),
        rng.choice(("Answer", "Answer", "Final Answer", "Reply", "Conclusion", "Done")),
    )
    write = rng.choice((str, str, str, str.upper, str.lower))
    thought, act, inputs, seen, end = map(write, labels)
    return _Layout(thought, act, inputs, seen, end, rng.random() < 0.15)


def _in_prose(function: Mapping[str, Any], form: int) -> str:
    """A function as a line of a prompt tells it."""
    name, told = function["name"], function["description"]
    takes = function["parameters"]["properties"]
    typed = ", ".join(f"{key}: {one['type']}" for key, one in takes.items())
    keys = ", ".join(takes) or "nothing"
    return (
        f"{name}({typed}) - {told}",
        f"{name}: {told} Takes {keys}.",
        f"{name}: {told} Input: {as_json({key: one['type'] for key, one in takes.items()})}",
        f"Name: {name}\nPurpose: {told}\nInput: {as_json(takes)}",
        f"{told} The function is called {name} and takes {keys}.",
        f"`{name}` [{keys}] {told}",
    )[form]


def _continued(
    turns: tuple[Turn, ...], layout: _Layout, step: str, given: str, rng: Random
) -> tuple[Turn, ...]:
    """A step was made and something came back: as turns, or behind the prompt as one text."""
    seen = f"{layout.seen}: {given}"
    if rng.random() < 0.5:
        return (*turns, Turn("assistant", step), Turn("user", seen))
    *before, last = turns
    mark = rng.choice(("\n\n", "\n\nSteps so far:\n", "\n\nProgress:\n", "\n\nYour work:\n"))
    return (*before, Turn("user", f"{last.content}{mark}{step}\n{seen}"))


def _begun(turns: tuple[Turn, ...], layout: _Layout, rng: Random) -> tuple[Turn, ...]:
    """A fifth of the time the prompt ends with the label of the line that comes next."""
    if rng.random() < 0.8:
        return turns
    return (*turns[:-1], Turn("user", f"{turns[-1].content}\n{layout.thought}:"))


@dataclass(frozen=True)
class _Agent:
    """Functions, and the layout in which they are told and used."""

    offers: list[Offer]
    layout: _Layout
    is_at_length: bool

    @property
    def functions(self) -> list[Mapping[str, Any]]:
        return [one.schema["function"] for one in self.offers]

    def prompt(self, rng: Random, text: str) -> tuple[Turn, ...]:
        """The request behind the prompt of a framework, or in a frame."""
        if self.is_at_length:
            return Turn("system", _handbook(self, rng)), Turn("user", text)
        form, told = rng.randrange(6), ", ".join(one["name"] for one in self.functions)
        lines = listed([_in_prose(one, form) for one in self.functions], rng)
        labels = ("Functions", "Tools", "What you can use", "Available", "Skills", "Abilities")
        wants = ("Request", "Question", "Task", "User", "The user wants", "Goal", "Begin")
        sections = ((labels, lines), (wants, text))
        return framed(rng, tasks.REASONED, sections, self.layout.told(told, rng))

    def step(self, turns: tuple[Turn, ...], call: Call) -> Exercise:
        """The exercise of running a function."""
        used = {"name": call.name, "arguments": dict(call.arguments)}
        tools = [one["name"] for one in self.functions]
        step = self.layout.step(call)
        labels = asdict(self.layout)
        return fixed("reasoning", turns, step, "step", tools=tools, call=used, labels=labels)

    def end(self, turns: tuple[Turn, ...], body: str) -> Exercise:
        """The exercise of telling the outcome."""
        told = f"{self.layout.thought}: The rest is known now.\n{self.layout.end}: {plain(body)}"
        return fixed("reasoning", turns, told, "end", body=body, labels=asdict(self.layout))


# Prompts of frameworks: long, with whole schemas, forms in fences and examples that are not meant.
_WELCOMES = (
    "You support people in many kinds of work: finding things out, writing, planning and counting.",
    "Whatever is asked of you, from a quick look-up to a longer piece of work, you see it through.",
    "You are the assistant of a small office and get requests of every sort.",
    "Some requests need one step, others several, and a few need none at all.",
    "You may split what is asked into smaller pieces and work on one after the other.",
    "It is up to you which of the functions you use, in which order, and how often.",
    "Your knowledge ends somewhere; the functions reach further.",
    "Your work is read by a program first and by a person after that.",
)
_OFFERS = (
    "These are the functions within your reach:",
    "What you can run:",
    "The following functions have been set up for you.",
    "You may use these, and nothing else:",
    "At your disposal:",
)
_FORMS = (
    "Write in the language of the request, and in this form:",
    "A step that runs a function has this form:",
    "When you want a function to be run, write these lines and no others:",
    "Every step is written like this:",
)
_EXAMPLES = (
    '{"word": "moss", "size": 3}',
    '{"title": "good morning", "num_pages": 5}',
    '{"key": "value", "depth": 2}',
    '{"text": "a b c", "limit": 10}',
    '{"first_name": "Ann", "shoes": 2}',
)
_CARE = (
    "Begin with the line {t}, always.",
    "No fences around your lines; inside them you may use some.",
    "{g} is one JSON object with double quotes, never something like {{'word': 'moss'}}.",
    "Where there is {a} there is {g} too; a function that takes nothing gets {{}}.",
    "Name a function exactly as it is spelt above.",
    "Do not write {s} yourself.",
    "Give every argument that is required, and none that the schema does not know.",
    "Copy names and numbers letter by letter from the request.",
    "One {a} in a reply is enough.",
    "You MUST write {t} before anything else.",
    "NEVER guess what a function would say, and NEVER write {s} for it.",
    "ALWAYS use the values of the request. {g} MUST NOT hold anything else.",
    "If you write {a}, you MUST also write {g}, even where nothing is needed.",
)
_RETURNS = (
    "The program will reply in this way:",
    "What the function gives back reaches you as:",
    "After each such step you are shown:",
)
_ENDINGS = (
    "Go on like this until you know enough. Then write:",
    "As soon as nothing more has to be run, end with:",
    "Repeat this as long as you need. Your last reply has this form:",
)
_WAYS_OUT = (
    "If the functions are of no help, end with:",
    "And if it cannot be done with them:",
    "Should no function fit, write instead:",
)
_LEADS = (
    "The conversation so far follows.",
    "# The conversation",
    "What was said up to now comes next, yours and the user's in turn.",
    "",
)
_HEADINGS = (
    ("## Functions", "## How to reply"),
    ("# TOOLS", "# FORM"),
    ("Functions", "Form"),
    ("", ""),
)
_SCHEMA_LABELS = (
    ("Name", "What it does", "Input schema"),
    ("Function", "Purpose", "Parameters"),
    ("Tool", "Description", "Args"),
    ("Call it", "To", "It takes"),
    ("NAME", "DOES", "SCHEMA"),
)


def _handbook(agent: _Agent, rng: Random) -> str:
    """The system prompt of a framework: functions with their schemas, and the layout at length."""
    layout, fence = agent.layout, rng.choice(("```", "```", "~~~", "---"))
    name, purpose, schema = rng.choice(_SCHEMA_LABELS)
    mark = rng.choice(("> ", "", "- ", "* "))
    functions = [
        f"{mark}{name}: {one['name']}\n{purpose}: {one['description']}\n"
        f"{schema}: {as_json(one['parameters'])}"
        for one in agent.functions
    ]
    heads = rng.choice(_HEADINGS)

    def fenced(*lines: str) -> str:
        return "\n".join((fence, *lines, fence))

    listed_names = ", ".join(one["name"] for one in agent.functions)
    example = rng.choice(_EXAMPLES)
    why = rng.choice(("I need a function for this.", "(what has to be done next, and why)"))
    which = rng.choice(("one of {n}", "the name of a function (one of {n})", "name, out of {n}"))
    call = [
        f"{layout.action}: {which.format(n=listed_names)}",
        f"{layout.given}: the input as JSON (for instance {example})",
    ]
    if layout.is_joined:
        call = [f'{layout.action}: {{"name": a name out of {listed_names}, "input": {example}}}']
    said = rng.choice(("(what you tell the user)", "the outcome, in the user's language"))
    rules = [rule for rule in _CARE if not (layout.is_joined and "{g}" in rule)]
    care = [
        rule.format(t=layout.thought, a=layout.action, g=layout.given, s=layout.seen)
        for rule in rng.sample(rules, rng.randint(2, 4))
    ]
    parts = [
        " ".join(rng.sample(_WELCOMES, rng.randint(1, 3))),
        heads[0],
        rng.choice(_OFFERS),
        rng.choice(("\n", "\n\n")).join(functions),
        heads[1],
        rng.choice(_FORMS),
        fenced(f"{layout.thought}: {why}", *call),
        rng.choice(("\n\n", "\n", " ")).join(care),
        rng.choice(_RETURNS),
        fenced(f"{layout.seen}: {rng.choice(('what came back', '(its result)', '...'))}"),
        rng.choice(_ENDINGS),
        fenced(f"{layout.thought}: The rest is known now.", f"{layout.end}: {said}"),
    ]
    if rng.random() < 0.4:
        parts += [
            rng.choice(_WAYS_OUT),
            fenced(f"{layout.thought}: No function helps here.", f"{layout.end}: {said}"),
        ]
    return rng.choice(("\n\n", "\n\n", "\n")).join([p for p in (*parts, rng.choice(_LEADS)) if p])


def _agent(rng: Random) -> _Agent:
    draw = rng.choice((calling.varied_offers, calling.errand_offers))
    return _Agent(draw(rng, rng.choice((1, 2, 2, 3, 4))), _layout(rng), rng.random() < 0.4)


def reasoned(rng: Random) -> Exercise:
    """An agent in text: functions, a layout of lines and a request -> the lines that come next."""
    agent = _agent(rng)
    offer = rng.choice(agent.offers)
    text, call = offer.ask(rng)
    turns = agent.prompt(rng, text)
    if rng.random() < 0.5:
        return agent.step(_begun(turns, agent.layout, rng), call)
    given, body = calling.varied_outcome(rng)
    step = agent.layout.step(call)
    turns = _begun(_continued(turns, agent.layout, step, given, rng), agent.layout, rng)
    return agent.end(turns, body)


def reasonings(rng: Random, num: int) -> Iterator[Exercise]:
    """`num` requests to one agent, each with its step and, mostly, what came of it."""
    agent = _agent(rng)
    for number in range(num):
        offer = rng.choice(agent.offers)
        text, call = offer.ask(rng)
        turns = agent.prompt(rng, text) if number == 0 else (Turn("user", text),)
        yield agent.step(turns, call)
        if rng.random() < 0.7:
            given, body = calling.varied_outcome(rng)
            yield agent.end((Turn("user", f"{agent.layout.seen}: {given}"),), body)


_PASSING_ON = (
    "Give the conversation to another agent.",
    "Let somebody else go on, if you cannot serve the request.",
    "Another agent takes over. Say who, and why.",
    "Hand the request to a colleague who can do more.",
)
_TAKEN_OVER = (
    "{n} takes over from here. Go on with the request.",
    "The request is now with {n}. Please serve it.",
    "Passed on to {n}: {r}. Carry on.",
    "{n} is in charge of this conversation now, because {r}. Do what the user wants.",
    "Done. You are {n} now; continue.",
    "Control went to {n}, for {r}. Proceed with what was asked.",
)


def taken_over(rng: Random) -> Exercise:
    """A request that another assistant passed on, with tools that only this one has: the call.

    Mostly this one could pass it on too, and does not.
    """
    offers = rng.choice((calling.varied_offers, calling.errand_offers))(rng, rng.choice((1, 2, 3)))
    text, call = rng.choice(offers).ask(rng)
    name = rng.choice(("transfer", "pass_on", "delegate", "forward", "hand_over", "route_to"))
    desk, reason = rng.choice(("desk", names.invented_word(rng))), names.phrase(rng)
    keys = rng.choice((("to", "why"), ("target", "reason"), ("agent", "note"), ("name", "because")))
    passed = Call(name, dict(zip(keys, (desk, reason), strict=True)))
    told = rng.choice(_TAKEN_OVER).format(n=rng.choice((desk, f"Agent {desk}")), r=reason)
    turns = (
        *system_turns(rng, 0.15),
        Turn("user", text),
        Turn("assistant", "", (passed,)),
        Turn("tool", told),
    )
    schemas = [offer.schema for offer in offers]
    if rng.random() < 0.7:
        bodies = {key: ("word", {"type": "string"}) for key in keys}
        passing = definition(name, rng.choice(_PASSING_ON), bodies, list(keys), rng)
        schemas.insert(rng.randrange(len(schemas) + 1), passing)
    return calling.exercise(schemas, turns, [call], "taken over")
