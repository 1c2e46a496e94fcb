"""The paper as code: pure functions on tensors."""

from eft_integrations.rule.filter import nucleus, plausible
from eft_integrations.rule.mix import Mixed, combine, contributions, log_probabilities
from eft_integrations.rule.noise import gumbel
from eft_integrations.rule.vocabulary import SharedVocabulary

__all__ = [
    "Mixed",
    "SharedVocabulary",
    "combine",
    "contributions",
    "gumbel",
    "log_probabilities",
    "nucleus",
    "plausible",
]
