"""Classification of user-provided texts, or pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ftbench.tasks import UserClassification

from .whole_texts import WholeTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench import Example
    from numpy.typing import NDArray


@dataclass
class TextClassification(WholeTexts, UserClassification):
    """Classify texts of your own, from a table."""

    def label_rows(self, examples: Sequence[Example[tuple[str, int]]]) -> NDArray[np.int64]:
        """Return the classes."""
        return np.array([example.label for example in examples])
