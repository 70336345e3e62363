"""Regression on user-provided texts, or pairs of texts, such as the similarity of two sentences."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from ftbench import UserError
from ftbench.tasks import RegressionTask, as_text

from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench import Example
    from numpy.typing import NDArray


@dataclass
class TextRegression(WholeTexts, RegressionTask):
    """Predict a number for a text or a pair of texts of your own, from a table; scored by correlation, like STS-B."""

    target: str = "score"
    """Column of the number."""

    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[np.float32]:
        """Read the numbers.

        Raises:
            UserError: a cell is not a number.
        """
        rows = self.cells(examples, (self.target,))
        return np.array(
            [self._number(row[self.target], example) for row, example in zip(rows, examples, strict=True)], np.float32
        )

    def _number(self, cell: object, example: Example[tuple[str, int]]) -> float:
        try:
            found = float(as_text(cell))
        except ValueError:
            found = float("nan")
        if not isfinite(found):
            key, number = example.value
            raise UserError(
                f"{self.name}: {key} row {number + 1}: "
                f"column {self.target!r} holds {as_text(cell)!r}, which is no number"
            )
        return found
