"""Random deletion of words (Wei and Zou 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from .rewriting import TextAugmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass
class RandomDeletion(TextAugmentation):
    """Delete words at random; at least one remains (Wei and Zou 2019, arXiv:1901.11196)."""

    share: Annotated[float, Gt(0), Lt(1)] = 0.1
    """Probability of deleting each word; the paper's α."""

    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Keep each word with probability 1 − share; keep one random word if all would be deleted."""
        words = text.split()
        if len(words) < 2:
            return text
        kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True) if draw >= self.share]
        return " ".join(kept or [words[int(rng.integers(len(words)))]])
