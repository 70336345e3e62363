"""Random rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt, Le
from ftbench import InputAugmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Rotation(InputAugmentation):
    """Rotate an image about its centre; the size stays, and the corners are black."""

    modality: ClassVar[str] = "vision"

    degrees: Annotated[float, Gt(0), Le(180)] = 15.0
    """Largest angle in either direction, in degrees."""

    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Rotate by an angle uniform in ±degrees."""
        from PIL import Image

        return value.rotate(float(rng.uniform(-self.degrees, self.degrees)), Image.Resampling.BILINEAR)
