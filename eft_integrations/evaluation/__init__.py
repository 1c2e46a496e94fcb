"""Does up-scaling help? Factuality and helpfulness as functions of the coefficients."""

from eft_integrations.evaluation.grades import Grade, grade
from eft_integrations.evaluation.questions import Question, load_questions

__all__ = ["Grade", "Question", "grade", "load_questions"]
