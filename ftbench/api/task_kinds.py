"""Kinds of tasks that give losses and scores, and the names of metrics that may decide on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from ..errors import suggestion
from ..stats.jackknife import f1, moments, pearson, pseudo_values
from .metrics import CLASS_SCORES, LABEL_SCORES, NUMBER_SCORES, class_scores, label_scores, number_scores
from .splits import draw
from .task import Scored, Task

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from .card import OutputType
    from .encoded import Encoded
    from .protocol import Training
    from .splits import Example


class ClassificationTask(Task):
    """A task whose every example has one class; plugins add the examples and their encoding."""

    primary: ClassVar[str] = "accuracy"

    _smoothing = 0.0
    _weights: Tensor | None = None

    def train_as(self, training: Training, labels: NDArray[np.int64]) -> None:
        """Take over from the protocol what the loss depends on.

        Args:
            training: its label smoothing and class weights.
            labels: classes of the training split, shape [examples]; a balanced weight is examples / (classes · count).
        """
        self._smoothing = training.label_smoothing
        if training.class_weights == "balanced":
            import torch

            counts = np.bincount(labels, minlength=len(self.classes))
            self._weights = torch.from_numpy(len(labels) / (len(counts) * np.maximum(counts, 1))).float()

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy of the logits, in nats, smoothed and weighted as the protocol says."""
        from torch.nn.functional import cross_entropy

        logits, labels = outputs.logits.float(), batch["labels"]
        if self._weights is None:
            return cross_entropy(logits, labels, label_smoothing=self._smoothing)
        weights = self._weights.to(logits.device)
        # Divided by the examples, not by their weights: parts of a batch then add up to the whole.
        return cross_entropy(logits, labels, weight=weights, label_smoothing=self._smoothing, reduction="none").mean()

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score logits, one array of [classes] an example; see `ftbench.api.metrics`."""
        from scipy.special import log_softmax
        from sklearn.metrics import confusion_matrix

        truth = np.asarray(examples.wanted())
        log_probability = log_softmax(np.stack(answers).astype(np.float64), axis=1)
        guess, probability = log_probability.argmax(1), np.exp(log_probability)
        predictions = tuple(
            {
                "id": examples.ids[row],
                "label": int(truth[row]),
                "prediction": int(guess[row]),
                "probabilities": [round(float(value), 6) for value in probability[row]],
            }
            for row in range(len(truth))
        )
        matrix = confusion_matrix(truth, guess, labels=range(probability.shape[1]))
        counts = tuple(tuple(int(count) for count in row) for row in matrix)
        return Scored(class_scores(truth, log_probability), predictions, counts if self.classes else None)

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores; none if a subclass scores in its own way."""
        return CLASS_SCORES if type(self).score is ClassificationTask.score else ()


@dataclass
class DrawnClassificationTask(ClassificationTask):
    """A classification whose splits are drawn from one pool, each balanced over the classes."""

    train_size: Annotated[int, Ge(1)] = 100
    """Training examples, balanced over the classes."""
    validation_size: Annotated[int, Ge(0)] = 200
    """Validation examples."""
    test_size: Annotated[int, Ge(1)] = 1000
    """Test examples; drawn first, so that they do not depend on the other sizes."""

    def drawn(
        self, examples: Sequence[Example[Any]], seed: int, groups: Mapping[str, Hashable] | None = None
    ) -> dict[str, list[Example[Any]]]:
        """Draw the three splits from one pool; see `ftbench.draw`."""
        sizes = {"test": self.test_size, "validation": self.validation_size, "train": self.train_size}
        return draw(examples, sizes, seed, groups)


class MultiLabelTask(Task):
    """A task whose examples have any of several classes each; plugins add the examples and their encoding.

    Encoded labels are of shape [examples, classes]: 1 where a class holds, else 0.
    """

    primary: ClassVar[str] = "micro_f1"
    answer: ClassVar[OutputType] = "labels"

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean binary cross-entropy over examples and classes, in nats."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs.logits.float(), batch["labels"].float())

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score logits, one array of [classes] an example; a class is said from a probability of one half on."""
        from scipy.special import expit

        truth, probability = np.asarray(examples.wanted()), expit(np.stack(answers).astype(np.float64))
        guess = probability >= 0.5
        added = pseudo_values(np.stack([(truth * guess).sum(1), guess.sum(1), truth.sum(1)], axis=1), f1)
        predictions = tuple(
            {
                "id": identity,
                "label": np.flatnonzero(wanted).tolist(),
                "prediction": np.flatnonzero(said >= 0.5).tolist(),
                "probabilities": [round(float(value), 6) for value in said],
                "micro_f1": value,
            }
            for identity, wanted, said, value in zip(examples.ids, truth, probability, added, strict=True)
        )
        return Scored(label_scores(truth, probability), predictions)

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores; none if a subclass scores in its own way."""
        return LABEL_SCORES if type(self).score is MultiLabelTask.score else ()


class RegressionTask(Task):
    """A task whose every example has a number; plugins add the examples and their encoding.

    Encoded labels are of shape [examples], in the unit of the target.
    """

    primary: ClassVar[str] = "pearson"
    loss_unit: ClassVar[str] = "target²"
    answer: ClassVar[OutputType] = "number"
    classes: ClassVar[tuple[str, ...]] = ()

    @property
    def outputs(self) -> int:
        """One number."""
        return 1

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean squared error, in the squared unit of the label."""
        from torch.nn.functional import mse_loss

        return mse_loss(outputs.logits.float().squeeze(-1), batch["labels"].float())

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score numbers, one array of [1] an example."""
        truth, guess = np.asarray(examples.wanted(), np.float64), np.stack(answers)[:, 0].astype(np.float64)
        added = pseudo_values(moments(truth, guess), pearson)
        predictions = tuple(
            {"id": identity, "label": float(wanted), "prediction": round(float(said), 6), "pearson": value}
            for identity, wanted, said, value in zip(examples.ids, truth, guess, added, strict=True)
        )
        return Scored(number_scores(truth, guess), predictions)

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores; none if a subclass scores in its own way."""
        return NUMBER_SCORES if type(self).score is RegressionTask.score else ()


# ---- settings that apply to some kinds only --------------------------------------------------------------------------

OF_CLASSES: Mapping[str, Any] = {"label_smoothing": 0.0, "class_weights": "none"}
"""Settings of the protocol that apply to classifications only, with the values that change nothing."""


def unused_settings(task: Task, training: Training) -> list[str]:
    """Return the settings of a protocol that do not apply to a task."""
    if isinstance(task, ClassificationTask):
        return []
    return [name for name, neutral in OF_CLASSES.items() if getattr(training, name) != neutral]


# ---- names of deciding metrics ---------------------------------------------------------------------------------------

ONE_CLASS = ("recall", "precision", "f1")
"""Kinds of scores of one class."""
_OF_CLASS = re.compile(rf"({'|'.join(ONE_CLASS)})\[(.+)\]", re.DOTALL)
LOSS = "loss"
"""The score that every task has: its mean loss is added if the task measures none itself."""


def of_class(name: str) -> tuple[str, str] | None:
    """Return kind and class of a score of one class, such as `recall[spam]`; None if the name is not of this form."""
    match = _OF_CLASS.fullmatch(name)
    return (match[1], match[2]) if match else None


def metric_mistake(task: Task, name: str) -> str:
    """Return what is wrong with the name of a deciding metric, without reading data; empty if nothing is.

    A task that does not list its scores takes any name; a wrong one is then found when the first split is scored.
    """
    names = task.metric_names()
    if not names:
        return ""
    known = dict.fromkeys((*names, LOSS))
    if name in known or (of_class(name) and has_classes(task)):
        return ""
    return not_a_score(name, tuple(known), one_class=has_classes(task))


def class_mistake(task: Task, name: str) -> str:
    """Return what is wrong with the class in a score of one class, which may read the data; empty if nothing is.

    Raises:
        UserError: the classes cannot be read.
    """
    asked = of_class(name)
    if asked is None or not has_classes(task) or asked[1] in task.classes:
        return ""
    return f"{asked[1]!r} is not a class of this task{suggestion(asked[1], task.classes)}"


def has_classes(task: Task) -> bool:
    """Return whether a task has scores of one class."""
    return isinstance(task, ClassificationTask | MultiLabelTask)


def not_a_score(name: str, known: Sequence[str], *, one_class: bool) -> str:
    """Return the message for an unknown score: the nearest known name, if any is near, and all known names.

    Args:
        name: the unknown name.
        known: names of the task's scores.
        one_class: whether the task also has scores of one class.
    """
    kinds = ONE_CLASS if one_class else ()
    inner = name.partition("[")[2].removesuffix("]")
    near = suggestion(name, [*known, *(f"{kind}[{inner}]" for kind in kinds if inner)])
    hint = f"{near} known" if near.endswith("?") else "; known"
    return f"{name!r} is not a score of this task{hint}: {', '.join((*known, *(f'{kind}[CLASS]' for kind in kinds)))}"
