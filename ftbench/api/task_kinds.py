"""Single-label classification of anything: the loss, and the scores scikit-learn gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from .metrics import class_scores
from .splits import draw
from .task import Scored, Task

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..suite.suite import Training
    from .encoded import Encoded
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
        """Give the mean cross-entropy of the logits, in nats; smoothed and weighted where the protocol says so."""
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
