"""Text tasks: a user's own, and those that need no network."""

from collections.abc import Mapping

from ftbench import Task, hookimpl

from .classification import TextClassification
from .multi_label import MultiLabelTextClassification
from .multiple_choice import MultipleChoice
from .question_answering import QuestionAnswering
from .regression import TextRegression
from .token_classification import TokenClassification
from .words import WordIntensity, WordSentiment


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer what this package has."""
    return {
        "text-classification": TextClassification,
        "multi-label-text-classification": MultiLabelTextClassification,
        "text-regression": TextRegression,
        "token-classification": TokenClassification,
        "multiple-choice": MultipleChoice,
        "question-answering": QuestionAnswering,
        "word-sentiment": WordSentiment,
        "word-intensity": WordIntensity,
    }
