"""Output that always parses: JSON by schema, closed within max_tokens; or one of a few choices."""

import json

from eft_integrations import Engine

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}

with Engine.tiny() as engine:
    answer = engine.generate("A record of Paris: ", json_schema=SCHEMA, max_tokens=30)
    print(json.loads(answer.text))
    print(engine.generate("Paris is in", choice=[" Europe", " Asia", " Africa"]).text)
