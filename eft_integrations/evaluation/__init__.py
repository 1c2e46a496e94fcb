"""Does up-scaling help? Factuality and helpfulness as functions of the coefficients."""

from eft_integrations.evaluation.grades import Grade, Said, grade
from eft_integrations.evaluation.judge import Judge
from eft_integrations.evaluation.output import publish
from eft_integrations.evaluation.progress import Progress
from eft_integrations.evaluation.questions import Question, first_of_each_kind, load_questions
from eft_integrations.evaluation.record import Folder, fingerprint
from eft_integrations.evaluation.run import Run, evaluate
from eft_integrations.evaluation.stored import read_summary
from eft_integrations.evaluation.summary import Summary
from eft_integrations.evaluation.voices import Coefficients, Lineup, line_up

__all__ = [
    "Coefficients",
    "Folder",
    "Grade",
    "Judge",
    "Lineup",
    "Progress",
    "Question",
    "Run",
    "Said",
    "Summary",
    "evaluate",
    "fingerprint",
    "first_of_each_kind",
    "grade",
    "line_up",
    "load_questions",
    "publish",
    "read_summary",
]
