"""The paper as code: pure functions on tensors."""

from eft_integrations.rule.columns import Columns, Layout
from eft_integrations.rule.devices import mixing_device, sent
from eft_integrations.rule.filter import nucleus, plausible
from eft_integrations.rule.mix import Mixed, combine, contributions, log_probabilities, mix
from eft_integrations.rule.noise import gumbel
from eft_integrations.rule.vocabulary import SharedVocabulary

__all__ = [
    "Columns",
    "Layout",
    "Mixed",
    "SharedVocabulary",
    "combine",
    "contributions",
    "gumbel",
    "log_probabilities",
    "mix",
    "mixing_device",
    "nucleus",
    "plausible",
    "sent",
]
