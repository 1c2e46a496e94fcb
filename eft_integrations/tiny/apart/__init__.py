"""Tools, texts and wordings that only evaluation uses: written apart from every generator.

Training text is never made from anything here. Each tuple is divided between the two question
sets, so that what is chosen on the one has not seen the wordings of the other.
"""

from eft_integrations.tiny.apart.forms import FORM_ASKS, FORMS
from eft_integrations.tiny.apart.reports import REPORTS, TEXT_FRAMES
from eft_integrations.tiny.apart.scenes import SCENES

__all__ = ["FORMS", "FORM_ASKS", "REPORTS", "SCENES", "TEXT_FRAMES"]
