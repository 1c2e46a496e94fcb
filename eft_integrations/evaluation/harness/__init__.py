"""The model ``eft`` of lm-evaluation-harness; importing this room registers it.

``python -m eft_integrations.evaluation.harness`` is the harness's own command with ``eft`` in it:
the harness has no entry point through which an installed package could add a model.
"""

from __future__ import annotations

from eft_integrations.errors import LoadError

try:
    from lm_eval.api.registry import register_model
except ModuleNotFoundError as error:
    if error.name != "lm_eval":
        raise
    raise LoadError(
        "the harness needs the package lm-eval, which is not installed; "
        "pip install 'eft-integrations[eval]'"
    ) from error

from eft_integrations.evaluation.harness.model import EFTLM

register_model("eft")(EFTLM)

__all__ = ["EFTLM"]
