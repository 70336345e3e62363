# ruff: noqa: ARG005 - all operations have the same signature
"""RandAugment: random operations out of fourteen, with one common magnitude (Cubuk et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Le
from ftbench import InputAugmentation

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

LARGEST = 30
"""Magnitude at which an operation has the paper's full strength."""


@dataclass
class RandAugment(InputAugmentation):
    """Apply a few random operations with one common magnitude (Cubuk et al. 2020, arXiv:1909.13719)."""

    modality: ClassVar[str] = "vision"

    operations: Annotated[int, Ge(1), Le(14)] = 2
    """Number of operations applied in sequence; the paper's N."""
    magnitude: Annotated[int, Ge(0), Le(LARGEST)] = 9
    """Magnitude of the operations, out of 30; the paper's M."""

    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Apply randomly drawn operations; those with a direction take a random one."""
        names = list(OPERATIONS)
        for place in rng.integers(len(names), size=self.operations).tolist():
            sign = 1 if rng.random() < 0.5 else -1
            value = OPERATIONS[names[place]](value, self.magnitude / LARGEST, sign)
        return value


def _sheared(image: Any, across: float, down: float) -> Any:
    from PIL import Image

    # Shear about the centre: a shear about the corner would also shift the picture.
    x, y = image.width / 2, image.height / 2
    return image.transform(
        image.size, Image.Transform.AFFINE, (1, across, -across * y, down, 1, -down * x), Image.Resampling.BILINEAR
    )


def _moved(image: Any, right: float, down: float) -> Any:
    from PIL import Image

    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, right, 0, 1, down), Image.Resampling.BILINEAR)


def _turned(image: Any, degrees: float) -> Any:
    from PIL import Image

    return image.rotate(degrees, Image.Resampling.BILINEAR)


def _enhanced(image: Any, kind: str, factor: float) -> Any:
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(image).enhance(factor)


def _remapped(image: Any, kind: str, *arguments: int) -> Any:
    from PIL import ImageOps

    return getattr(ImageOps, kind)(image, *arguments)


# Ranges as in the paper's policy space, that of AutoAugment (Cubuk et al. 2019, table 6), as shares of its largest
# value.
OPERATIONS: dict[str, Callable[[Any, float, int], Any]] = {
    "identity": lambda image, strength, sign: image,
    "autocontrast": lambda image, strength, sign: _remapped(image, "autocontrast"),
    "equalize": lambda image, strength, sign: _remapped(image, "equalize"),
    "rotate": lambda image, strength, sign: _turned(image, sign * 30.0 * strength),
    "solarize": lambda image, strength, sign: _remapped(image, "solarize", round(256 * (1 - strength))),
    "color": lambda image, strength, sign: _enhanced(image, "Color", 1 + sign * 0.9 * strength),
    "posterize": lambda image, strength, sign: _remapped(image, "posterize", 8 - round(4 * strength)),
    "contrast": lambda image, strength, sign: _enhanced(image, "Contrast", 1 + sign * 0.9 * strength),
    "brightness": lambda image, strength, sign: _enhanced(image, "Brightness", 1 + sign * 0.9 * strength),
    "sharpness": lambda image, strength, sign: _enhanced(image, "Sharpness", 1 + sign * 0.9 * strength),
    "shear-x": lambda image, strength, sign: _sheared(image, sign * 0.3 * strength, 0.0),
    "shear-y": lambda image, strength, sign: _sheared(image, 0.0, sign * 0.3 * strength),
    "translate-x": lambda image, strength, sign: _moved(image, sign * 150 / 331 * strength * image.width, 0.0),
    "translate-y": lambda image, strength, sign: _moved(image, 0.0, sign * 150 / 331 * strength * image.height),
}
"""Name → operation on an image, with a strength from 0 to 1 and a direction, 1 or −1."""
