"""Text tasks, on user data and built-in data, and text augmentations."""

from collections.abc import Mapping

from ftbench import Augmentation, Task, hookimpl

from .augmentations.back_translation import BackTranslation
from .augmentations.random_deletion import RandomDeletion
from .augmentations.random_swap import RandomSwap
from .augmentations.synonym_replacement import SynonymReplacement
from .augmentations.typos import Typos
from .classification import TextClassification
from .multi_label import MultiLabelTextClassification
from .multiple_choice import MultipleChoice
from .question_answering import QuestionAnswering
from .regression import TextRegression
from .token_classification import TokenClassification
from .words import WordIntensity, WordSentiment


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer the tasks of this package."""
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


@hookimpl
def ftbench_augmentations() -> Mapping[str, type[Augmentation]]:
    """Offer the augmentations of this package."""
    return {
        "random-deletion": RandomDeletion,
        "random-swap": RandomSwap,
        "typos": Typos,
        "synonym-replacement": SynonymReplacement,
        "back-translation": BackTranslation,
    }
