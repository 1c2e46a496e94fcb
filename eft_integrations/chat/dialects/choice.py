"""Which dialect a model speaks: by its name, or by what its chat template writes."""

from __future__ import annotations

from eft_integrations.chat.dialects import Dialect, hermes, llama3, mistral, mistral_args
from eft_integrations.errors import refuse_unknown

# In the order in which templates are searched.
_ALL = (hermes.DIALECT, mistral_args.DIALECT, mistral.DIALECT, llama3.DIALECT)
DIALECTS = {dialect.name: dialect for dialect in _ALL}


def dialect_named(name: str) -> Dialect:
    """Raises ``UnknownOption`` for a name that no file has."""
    refuse_unknown("dialect", [name], DIALECTS)
    return DIALECTS[name]


def dialect_of(template: str) -> Dialect:
    """The dialect whose signs stand in a chat template; Hermes where none do."""
    found = (d for d in DIALECTS.values() if any(sign in template for sign in d.signs))
    return next(found, hermes.DIALECT)
