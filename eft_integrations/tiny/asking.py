"""Ways of asking for a record: layouts of its fields, and wordings around them and the text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from eft_integrations.tiny.chatml import Turn
from eft_integrations.tiny.notes import Field
from eft_integrations.tiny.toolbox import spoken

Layout = Callable[[Sequence[Field], Random], str]

_TITLES = ("Record", "Note", "Entry", "Info", "Data", "Item", "Form", "Details", "Booking", "Card")
_TYPES: Mapping[str, Mapping[str, str]] = {
    "python": {"string": "str", "integer": "int", "number": "float", "boolean": "bool"},
    "script": {"integer": "number"},
    "sql": {"string": "TEXT", "integer": "INTEGER", "number": "REAL", "boolean": "BOOLEAN"},
    "words": {"string": "text", "integer": "whole number", "boolean": "yes or no"},
    "json": {},
}
_MANY = {"python": "list[{}]", "script": "{}[]", "words": "list of {}", "sql": "{}[]"}


def _told(field: Field, rng: Random) -> str:
    """What a field holds, in words."""
    if field.asks and rng.random() < 0.65:
        return rng.choice(field.asks)
    return rng.choice(field.tells or (f"the {spoken(field.name)}",))


def _type(field: Field, tongue: str) -> str:
    """The kind of a field's value as a language or a list writes it."""
    names = _TYPES[tongue]
    if field.inner:
        mark = "; " if tongue == "script" else ", "
        return "{" + mark.join(f"{f.name}: {_type(f, tongue)}" for f in field.inner) + "}"
    if field.kind == "array":
        return _MANY.get(tongue, "array of {}").format(names.get("string", "string"))
    if field.choices and tongue == "python":
        return f"Literal[{', '.join(map(repr, field.choices))}]"
    if field.choices and tongue == "script":
        return " | ".join(f'"{choice}"' for choice in field.choices)
    if field.choices and tongue == "words":
        return "one of " + ", ".join(field.choices)
    return names.get(field.kind, field.kind)


def _property(field: Field, rng: Random, told: float, titled: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"type": field.kind}
    if field.inner:
        body = _object(field.inner, rng, told, titled)
    if field.kind == "array":
        body["items"] = {"type": "string"}
    if field.choices:
        body["enum"] = list(field.choices)
    if titled:
        title = spoken(field.name).title()
        body = {"title": title, **body} if rng.random() < 0.5 else {**body, "title": title}
    if rng.random() < told:
        line = _told(field, rng)
        body = (
            {"description": line, **body} if rng.random() < 0.4 else {**body, "description": line}
        )
    return body


def _object(fields: Sequence[Field], rng: Random, told: float, titled: bool) -> dict[str, Any]:
    properties = {f.name: _property(f, rng, told, titled) for f in fields}
    body: dict[str, Any] = {"type": "object", "properties": properties}
    if rng.random() < 0.85:
        body["required"] = [f.name for f in fields]
    if titled or rng.random() < 0.1:
        body["title"] = rng.choice(_TITLES)
    if rng.random() < 0.15:
        body["additionalProperties"] = False
    keys = list(body)
    if rng.random() < 0.5:
        rng.shuffle(keys)
    return {key: body[key] for key in keys}


def schema(fields: Sequence[Field], rng: Random) -> dict[str, Any]:
    """A JSON schema of the fields, with titles, descriptions and orders of keys drawn."""
    return _object(fields, rng, rng.choice((0.0, 0.5, 1.0, 1.0)), rng.random() < 0.3)


def _as_schema(fields: Sequence[Field], rng: Random) -> str:
    indent = 2 if rng.random() < 0.15 else None
    return json.dumps(schema(fields, rng), ensure_ascii=False, indent=indent)


def _as_function(fields: Sequence[Field], rng: Random) -> str:
    name = rng.choice(("save", "store", "add", "write", "submit")) + "_"
    told = {"name": name + rng.choice(_TITLES).lower(), "parameters": schema(fields, rng)}
    return json.dumps(told, ensure_ascii=False)


def _blank(field: Field, form: str) -> Any:
    if field.inner:
        return {f.name: _blank(f, form) for f in field.inner}
    if field.kind == "array":
        return [form.format(spoken(field.name))]
    if field.kind == "boolean":
        return "true or false"
    return " | ".join(field.choices) if field.choices else form.format(spoken(field.name))


def _as_example(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(("…", "...", "<{}>", "", "the {}", "?", "string", "{}"))
    indent = rng.choice((None, None, 2))
    blank = {f.name: _blank(f, form) for f in fields}
    return json.dumps(blank, ensure_ascii=False, indent=indent)


def _as_described(fields: Sequence[Field], rng: Random) -> str:
    """Keys with the kind or the meaning of their values."""
    is_kind = rng.random() < 0.5
    told = {f.name: _type(f, "json") if is_kind else _told(f, rng) for f in fields}
    return json.dumps(told, ensure_ascii=False)


def _as_interface(fields: Sequence[Field], rng: Random) -> str:
    title = rng.choice(_TITLES)
    is_told = rng.random() < 0.5
    rows = [
        f"  {f.name}: {_type(f, 'script')};" + (f" // {_told(f, rng)}" if is_told else "")
        for f in fields
    ]
    opening = rng.choice((f"interface {title} {{", f"type {title} = {{", "{"))
    return "\n".join([opening, *rows, "}"])


def _as_class(fields: Sequence[Field], rng: Random) -> str:
    title = rng.choice(_TITLES)
    form = rng.choice((" = Field(description={!r})", "  # {}", "", ""))
    opening = rng.choice(("class {}(BaseModel):", "@dataclass\nclass {}:", "class {}(TypedDict):"))
    rows = [f"    {f.name}: {_type(f, 'python')}" + form.format(_told(f, rng)) for f in fields]
    return "\n".join([opening.format(title), *rows])


def _as_signature(fields: Sequence[Field], rng: Random) -> str:
    listed = ", ".join(f"{f.name}: {_type(f, 'python')}" for f in fields)
    verb = rng.choice(("save", "record", "fill", "create", "register"))
    return f"{rng.choice(('def ', ''))}{verb}_{rng.choice(_TITLES).lower()}({listed})"


def _as_bullets(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(
        (
            "- {n}: {d}",
            "* {n} - {d}",
            "- {n} ({t})",
            "- `{n}` ({t}): {d}",
            "{i}. {n}: {d}",
            "• {n} = {d}",
            "- **{n}**: {d} ({t})",
            '- "{n}": {d}',
        )
    )
    rows = enumerate(fields, 1)
    return "\n".join(
        form.format(n=f.name, d=_told(f, rng), t=_type(f, "words"), i=n) for n, f in rows
    )


def _as_line(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(("{n}: {t}", "{n} ({t})", "{n} {t}", "{n} = {t}", "{n} ({d})"))
    tongue = rng.choice(("json", "words", "python"))
    rows = [form.format(n=f.name, t=_type(f, tongue), d=_told(f, rng)) for f in fields]
    return rng.choice((", ", "; ", "\n", ", ")).join(rows)


def _as_questions(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(("{n}: {q}", "{q} -> {n}", "{q} ({n})", "{n} ({q})"))
    rows = [
        form.format(n=f.name, q=rng.choice(f.asks or (f"What is {_told(f, rng)}?",)))
        if not f.is_plain or f.asks
        else form.format(n=f.name, q=f"What is the {spoken(f.name)}?")
        for f in fields
    ]
    return "\n".join(rows)


def _as_tags(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(('<field name="{n}" type="{t}"/>', '<key name="{n}">{d}</key>'))
    rows = [form.format(n=f.name, t=_type(f, "json"), d=_told(f, rng)) for f in fields]
    return "\n".join(["<fields>", *rows, "</fields>"])


def _as_table(fields: Sequence[Field], rng: Random) -> str:
    if rng.random() < 0.4:
        listed = ", ".join(f"{f.name} {_type(f, 'sql')}" for f in fields)
        return f"{rng.choice(_TITLES).lower()}({listed})"
    rows = [f"| {f.name} | {_type(f, 'words')} | {_told(f, rng)} |" for f in fields]
    return "\n".join(["| field | type | meaning |", *rows])


def _as_names(fields: Sequence[Field], rng: Random) -> str:
    form = rng.choice(("{}", "{}", '"{}"', "`{}`"))
    names = [form.format(f.name) for f in fields]
    last = rng.choice((" and ", ", ")) if names[1:] else ""
    return ", ".join(names[:-1]) + last + names[-1]


_LAYOUTS: Mapping[Layout, float] = {
    _as_schema: 0.36,
    _as_function: 0.05,
    _as_example: 0.08,
    _as_described: 0.07,
    _as_interface: 0.06,
    _as_class: 0.07,
    _as_signature: 0.04,
    _as_bullets: 0.09,
    _as_line: 0.07,
    _as_questions: 0.05,
    _as_tags: 0.03,
    _as_table: 0.03,
}
# Layouts from which the kind of a value cannot be told.
_BARE = (_as_example, _as_described, _as_questions)


def laid_out(fields: Sequence[Field], rng: Random) -> str:
    """The fields in one of the layouts that say enough about them."""
    layout = rng.choices(list(_LAYOUTS), list(_LAYOUTS.values()))[0]
    if layout in _BARE and not all(f.is_plain for f in fields):
        layout = _as_schema
    return layout(fields, rng)


# {f} are the fields, {t} the text.
ASKS = (
    "Fill this schema from the text: {f}\nText: {t}",
    "{t}\n\nWrite this as JSON: {f}",
    "Text: {t}\nSchema: {f}\nJSON:",
    "Extract the fields from the text below.\nFields:\n{f}\n\nText:\n{t}",
    "{t}\n\nFrom the text above, fill in:\n{f}",
    "Read this:\n{t}\n\nReturn JSON for:\n{f}",
    "Turn the message into a JSON object.\n\nMessage: {t}\n\nFormat: {f}",
    "Please extract this data from the note.\n{f}\n\n{t}",
    "Parse: {t}\nInto: {f}",
    "{f}\n\nFill it from: {t}",
    "{f}\n###\n{t}\n###\nJSON only.",
    "Input: {t}\nOutput format: {f}\nOutput:",
    "You are given a text and a structure. Text: {t} Structure: {f} Give the object.",
    "What does this say? {t}\nAnswer in this shape: {f}",
    "Convert to JSON.\n\n{t}\n\nStructure:\n{f}",
    "Extract into {f}\n\nfrom:\n{t}",
    "Here is a form:\n{f}\nComplete it with what you read here:\n{t}",
    "Get the values out of the following text. {f}\n\n{t}",
    "Structured output wanted: {f}\nSource: {t}",
    "I got this message:\n\n{t}\n\nCan you put it into this form? {f}",
    "Could you fill this in for me? {f}\nIt is all in here: {t}",
    "<text>\n{t}\n</text>\n<schema>\n{f}\n</schema>\nAnswer with the object.",
    "<schema>{f}</schema>\n<document>{t}</document>",
    "<instructions>Fill the fields from the input.</instructions>\n{f}\n<input>{t}</input>",
    "# Text\n{t}\n\n# Fields\n{f}\n\n# Answer as JSON",
    "## Task\nExtract data.\n## Data\n{t}\n## Format\n{f}",
    "Given the schema {f}, extract the data from: {t}",
    "Following this definition\n{f}\nwrite the JSON for this text:\n{t}",
    "Make an object of this type:\n{f}\n\nThe content: {t}",
    "Use only what the text says. {f}\n\nText: {t}",
    "No explanations, just JSON.\nFormat: {f}\nText: {t}",
    "{t}\n---\n{f}\n---\nFill the above.",
    "json please\n{t}\n{f}",
    "need this as json {f}\n\n{t}",
    "data entry: {t}\nfields: {f}",
    "Our system needs {f}\nThe customer wrote: {t}",
    "A colleague left this note: {t}\nEnter it as: {f}",
    "Identify these in the passage:\n{f}\n\nPassage: {t}",
    "Find the following in the text and give it as a JSON object.\n{f}\n\n{t}",
    "Summarise the text as an object.\nObject: {f}\nText: {t}",
    "The answer must be valid JSON for: {f}\n\nWhat to read: {t}",
    "Instance of {f}\nbuilt from this sentence:\n{t}",
    "Map the text to the fields.\nText = {t}\nFields = {f}",
    "Which values does the text give?\n{f}\n\n{t}",
    "Answer the questions about the text in JSON.\n{f}\n\n{t}",
    "Write one JSON object. Its fields:\n{f}\nIts source:\n{t}",
    "Fields to extract:\n{f}\n\nExtract them from this paragraph:\n{t}",
    "Take the text apart: {t}\n\nWanted: {f}",
    "Record this.\n{t}\n\nLayout of the record: {f}",
    "Please process the text. It reads: {t} I expect: {f}",
    "Task: information extraction\nSpec: {f}\nText: {t}\nResult:",
    "Here's some text: {t}\n\nHere's the structure I want back: {f}",
    "Reply with an object like {f} for this text: {t}",
    "Model:\n{f}\n\nRaw text:\n{t}\n\nParsed:",
    "Log line: {t}\nParse it into: {f}",
    "I will store your answer in a database. Columns: {f}\nText: {t}",
)
# {k} are the names of the fields alone.
BARE_ASKS = (
    "Extract {k} as JSON.\n\n{t}",
    "Return a JSON object with the keys {k} for this text:\n{t}",
    "{t}\nGive me {k} of this text in JSON.",
    "Keys: {k}\nText: {t}\nJSON:",
    "{t}\n\nJSON with {k}:",
    "As JSON with the keys {k}, please:\n{t}",
    "I need {k} from this note as a JSON object. {t}",
    "Read the text and write {k} as JSON: {t}",
    "{t}\nPull out {k}. Answer in JSON.",
    "What are {k} here? Use JSON. {t}",
)
# The system says what to fill, the user gives the text.
SYSTEMS = (
    "You write JSON. Schema: {f}",
    "Answer with a JSON object that follows this schema and nothing else: {f}",
    "You extract data from messages. Fields:\n{f}",
    "Every message of the user becomes one object:\n{f}",
    "Rules: JSON only; copy the values as they are written; no comments.\nFormat:\n{f}",
    "You are a parser. Input is text, output is JSON like this: {f}",
    "Fill the form from what the user writes.\n{f}\nDo not add anything.",
    "You are an assistant that turns notes into records.\n\n{f}",
    "Return structured data only.\n<format>\n{f}\n</format>",
    "The output is read by a program, so it must be valid JSON.\n{f}",
    "Your task: read the text and give these values.\n{f}",
    "For each text, output the following object.\n{f}",
    "Respond in the shape of\n{f}\nand in no other.",
)
_RULES = (
    "Answer in JSON only.",
    "You are a precise parser.",
    "Output must be valid JSON without any text around it.",
    "You extract information and never invent it.",
    "Copy values exactly as they stand in the text.",
    "You turn texts into data.",
)
_PREFIXES = ("{t}", "{t}", "{t}", "Text: {t}", "Message: {t}", "New entry:\n{t}", "Here it is: {t}")
_WRAPPED = (
    "```\n{t}\n```",
    '"""\n{t}\n"""',
    '"{t}"',
    "<text>{t}</text>",
    "> {t}",
    "[{t}]",
    "---\n{t}\n---",
    "'{t}'",
    "```text\n{t}\n```",
)
_FENCED = ("```json\n{f}\n```", "```\n{f}\n```", "<format>\n{f}\n</format>", "<fields>{f}</fields>")


def _wrapped(text: str, rng: Random) -> str:
    return rng.choice(_WRAPPED).replace("{t}", text) if rng.random() < 0.25 else text


def asked(fields: Sequence[Field], text: str, rng: Random) -> list[Turn]:
    """The turns that ask for a record of these fields."""
    text = _wrapped(text, rng)
    if rng.random() < 0.15 and all(field.is_plain for field in fields):
        listed = _as_names(fields, rng)
        return [Turn("user", rng.choice(BARE_ASKS).format(k=listed, t=text))]
    told = laid_out(fields, rng)
    if rng.random() < 0.15:
        told = rng.choice(_FENCED).format(f=told)
    form = rng.random()
    if form < 0.22:
        rules = Turn("system", rng.choice(SYSTEMS).format(f=told))
        return [rules, Turn("user", rng.choice(_PREFIXES).format(t=text))]
    if form < 0.27:
        context = Turn("system", rng.choice(("Text: {t}", "Context:\n{t}", "{t}")).format(t=text))
        wish = rng.choice(("Fill this: {f}", "{f}", "JSON for {f}", "From the context:\n{f}"))
        return [context, Turn("user", wish.format(f=told))]
    turns = [Turn("system", rng.choice(_RULES))] if form < 0.37 else []
    return [*turns, Turn("user", rng.choice(ASKS).format(f=told, t=text))]
