"""Classification with any number of classes an example: the loss, and the scores scikit-learn gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..stats.jackknife import f1, pseudo_values
from .metrics import label_scores
from .task import Scored, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from .card import Answer
    from .encoded import Encoded


class MultiLabelTask(Task):
    """A task whose examples have any of several classes each; plugins add the examples and their encoding.

    Encoded labels are of shape [examples, classes]: 1 where a class holds, else 0.
    """

    primary: ClassVar[str] = "micro_f1"
    answer: ClassVar[Answer] = "labels"

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Give the mean binary cross-entropy over examples and classes, in nats."""
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
