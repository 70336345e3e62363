"""Random crops that keep the image size."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Gt, Le
from ftbench import InputAugmentation, UserError

if TYPE_CHECKING:
    import numpy as np

_TRIES = 10


@dataclass
class RandomCrop(InputAugmentation):
    """Crop an image; the result has the image's size (Szegedy et al. 2015, section 6; He et al. 2016, 4.2)."""

    modality: ClassVar[str] = "vision"

    kind: Literal["resized", "padded"] = "resized"
    """`resized`: crop a random area and shape, then resize. `padded`: add a black border, then crop the old size."""
    area: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0)
    """Smallest and largest share of the image that a resized crop keeps."""
    ratio: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (3 / 4, 4 / 3)
    """Smallest and largest aspect ratio (width over height) of a resized crop."""
    padding: Annotated[float, Gt(0), Le(1)] = 0.125
    """Padding on each side of a padded crop, as a share of that side: 0.125 is 4 of 32 pixels."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: the start of a range is above its end.
        """
        mistakes = [
            f"{name}: {low} is above {high}"
            for name in ("area", "ratio")
            for low, high in [getattr(self, name)]
            if low > high
        ]
        if mistakes:
            raise UserError(*mistakes)

    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Crop the image."""
        return self._padded(value, rng) if self.kind == "padded" else self._resized(value, rng)

    def _padded(self, image: Any, rng: np.random.Generator) -> Any:
        """Crop at a random position; pixels outside the image are black."""
        reach = [max(1, round(self.padding * side)) for side in image.size]
        left, top = (int(rng.integers(-most, most + 1)) for most in reach)
        return image.crop((left, top, left + image.width, top + image.height))

    def _resized(self, image: Any, rng: np.random.Generator) -> Any:
        """Crop a box of random area and ratio; if none fits in ten draws, return the whole image."""
        from PIL import Image

        width, height = image.size
        for _ in range(_TRIES):
            area = rng.uniform(*self.area) * width * height
            ratio = exp(rng.uniform(log(self.ratio[0]), log(self.ratio[1])))
            w, h = round(sqrt(area * ratio)), round(sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
                return image.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + w, top + h))
        return image
