"""Regression on user-provided texts, or pairs of texts, such as the similarity of two sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import UserError
from ftbench.tasks import Flaw, RegressionTask, as_text

from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench import Example, Splits
    from ftbench.tasks import Severity
    from numpy.typing import NDArray


_LARGEST = (2 - 2**-23) * 2.0**127
"""Largest single-precision number; numpy is imported when a task is used."""
MOST_SIZE = 100.0
"""Largest root mean square of targets that is not reported."""
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

    def overall_flaws(self, splits: Splits[Any]) -> Iterator[Flaw]:
        """Yield a flaw if the targets of the training split are far from 1, or all the same."""
        cells = (row[self.target] for row in self.cells(splits.train, (self.target,)))
        known = [number for cell in cells if (number := _number(as_text(cell))) is not None]
        low, high = (min(known), max(known)) if known else (0.0, 0.0)
        size = float(np.sqrt(np.mean(np.square(known)))) if known else 0.0
        if known and low == high:
            advice = "there is nothing to learn, and a correlation with it is undefined"
            yield Flaw("warning", "target is the same in all rows", len(known), (f"{low:g}",), advice)
        elif size > MOST_SIZE:
            factor = 10 ** int(np.log10(size))
            advice = f"a new head begins near 0 and learns such numbers slowly: divide them by {factor:,}"
            yield Flaw("warning", "targets far from 1", len(known), (f"{low:,g} to {high:,g}",), advice)

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
