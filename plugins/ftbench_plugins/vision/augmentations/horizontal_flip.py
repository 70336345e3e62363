"""Horizontal flip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt, Le
from ftbench import InputAugmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass
class HorizontalFlip(InputAugmentation):
    """Mirror an image left to right; unsuitable if left and right differ in meaning, as in letters and digits."""

    modality: ClassVar[str] = "vision"

    probability: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the examples to mirror, drawn again for each example and epoch."""

    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Mirror the image."""
        from PIL import ImageOps

        return ImageOps.mirror(value)
