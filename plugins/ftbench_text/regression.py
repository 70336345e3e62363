"""Regression on user-provided texts, or pairs of texts, such as the similarity of two sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import UserError
from ftbench.tasks import RegressionTask, as_text

from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench import Example
    from ftbench.tasks import Severity
    from numpy.typing import NDArray


_LARGEST = float(np.finfo(np.float32).max)
NO_NUMBER, COMMA = "target is no number", "number with a decimal comma"


@dataclass
class TextRegression(WholeTexts, RegressionTask):
    """Predict a number for a text or a pair of texts of your own, from a table; scored by correlation, like STS-B."""

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **WholeTexts.advice,
        NO_NUMBER: ("error", "write a number, or leave the cell empty"),
        COMMA: ("error", "write a point before decimals, and nothing between thousands: 1234.5"),
    }

    target: str = "score"
    """Column of the number."""

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a row's number."""
        yield from super().row_problems(key, row)
        text = as_text(row[self.target])
        if _number(text) is None:
            yield COMMA if re.fullmatch(r"[+-]?\d[\d.\s]*,\d+", text) else NO_NUMBER, repr(text)

    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[np.float32]:
        """Read the numbers.

        Raises:
            UserError: a cell is not a number.
        """
        rows = self.cells(examples, (self.target,))
        numbers = [_number(as_text(row[self.target])) for row in rows]
        if None in numbers:
            place = numbers.index(None)
            key, number = examples[place].value
            raise UserError(
                f"{self.name}: {key} row {number + 1}: "
                f"column {self.target!r} holds {as_text(rows[place][self.target])!r}, which is no number"
            )
        return np.array(numbers, np.float32)


def _number(text: str) -> float | None:
    """Return the number that a text is, or None if it is none, or not finite in single precision."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) <= _LARGEST else None
