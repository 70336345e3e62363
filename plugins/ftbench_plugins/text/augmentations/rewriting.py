"""Base of all text augmentations: each text of an example is changed separately."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ftbench import InputAugmentation

if TYPE_CHECKING:
    import numpy as np


class TextAugmentation(InputAugmentation):
    """Rewrites a text."""

    modality: ClassVar[str] = "text"

    @abstractmethod
    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Return the changed text."""

    def change(self, value: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        """Rewrite each of an example's texts."""
        return tuple(self.rewrite(text, rng) for text in value)
