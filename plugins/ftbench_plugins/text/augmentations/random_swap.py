"""Random swap of words (Wei and Zou 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from .rewriting import TextAugmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass
class RandomSwap(TextAugmentation):
    """Swap two words, several times (Wei and Zou 2019, arXiv:1901.11196)."""

    share: Annotated[float, Gt(0), Lt(1)] = 0.1
    """Swaps per word, at least one in total; the paper's α."""

    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Swap two different random positions, max(1, share · words) times."""
        words = text.split()
        if len(words) < 2:
            return text
        for _ in range(max(1, int(self.share * len(words)))):
            one, other = rng.choice(len(words), 2, replace=False).tolist()
            words[one], words[other] = words[other], words[one]
        return " ".join(words)
