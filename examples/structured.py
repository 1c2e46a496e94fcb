"""Output that always parses: JSON by schema, closed within max_tokens; or one of a few choices."""

import json

from eft_integrations import Engine

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"enum": ["Paris", "Rome", "Madrid"]},
        "continent": {"enum": ["Europe", "Asia", "Africa"]},
        "is_capital": {"type": "boolean"},
    },
    "required": ["name", "continent", "is_capital"],
    "additionalProperties": False,
}

with Engine.tiny() as engine:
    prompt = "Text: Rome is the capital of Italy, in Europe.\nJSON: "
    answer = engine.generate(prompt, json_schema=SCHEMA, max_tokens=48)
    print(json.loads(answer.text), answer.finish_reason)
    print(engine.generate("The capital of Italy is", choice=[" Rome", " Paris"]).text)
