"""Random crops that keep the size of the image."""

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
    """Cut a part out of an image; what comes out has the image's size (Szegedy et al. 2015, section 6; He et al. 2016, 4.2)."""

    modality: ClassVar[str] = "vision"

    kind: Literal["resized", "padded"] = "resized"
    """`resized`: a part of random area and shape, resized. `padded`: black all around, then a part of the size the image had."""
    area: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0)
    """Least and largest share of the image that a resized crop keeps."""
    ratio: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (3 / 4, 4 / 3)
    """Least and largest width over height of a resized crop."""
    padding: Annotated[float, Gt(0), Le(1)] = 0.125
    """What a padded crop adds on each side, as a share of that side: 4 of 32 pixels."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            UserError: a range that ends before it begins.
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
        """Cut at a random place; what lies outside the image is black."""
        reach = [max(1, round(self.padding * side)) for side in image.size]
        left, top = (int(rng.integers(-most, most + 1)) for most in reach)
        return image.crop((left, top, left + image.width, top + image.height))

    def _resized(self, image: Any, rng: np.random.Generator) -> Any:
        """Cut a box of random area and ratio; after ten tries in which none fits, the whole image is taken."""
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
