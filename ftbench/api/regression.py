"""Answering with a number: the loss, and the scores scipy and scikit-learn give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..stats.jackknife import moments, pearson, pseudo_values
from .metrics import number_scores
from .task import Scored, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from .card import Answer
    from .encoded import Encoded


class RegressionTask(Task):
    """A task whose every example has a number; plugins add the examples and their encoding.

    Encoded labels are of shape [examples], in the unit of the target.
    """

    primary: ClassVar[str] = "pearson"
    loss_unit: ClassVar[str] = "target²"
    answer: ClassVar[Answer] = "number"
    classes: ClassVar[tuple[str, ...]] = ()

    @property
    def outputs(self) -> int:
        """One number."""
        return 1

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Give the mean squared error, in the squared unit of the target."""
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
