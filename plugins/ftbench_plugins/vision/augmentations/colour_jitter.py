"""Random brightness, contrast and saturation (Howard 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Le
from ftbench import InputAugmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass
class ColourJitter(InputAugmentation):
    """Change brightness, contrast and saturation, in random order (Howard 2013, arXiv:1312.5402)."""

    modality: ClassVar[str] = "vision"

    brightness: Annotated[float, Ge(0), Le(1)] = 0.4
    """Half-width of the range around 1 from which the brightness factor is drawn."""
    contrast: Annotated[float, Ge(0), Le(1)] = 0.4
    """Half-width of the range around 1 from which the contrast factor is drawn."""
    saturation: Annotated[float, Ge(0), Le(1)] = 0.4
    """Half-width of the range around 1 from which the saturation factor is drawn; no effect on grey images."""

    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Multiply each property by its factor."""
        from PIL import ImageEnhance

        kinds = [
            (ImageEnhance.Brightness, self.brightness),
            (ImageEnhance.Contrast, self.contrast),
            (ImageEnhance.Color, self.saturation),
        ]
        for place in rng.permutation(len(kinds)).tolist():
            enhance, width = kinds[place]
            value = enhance(value).enhance(float(rng.uniform(1 - width, 1 + width)))
        return value
