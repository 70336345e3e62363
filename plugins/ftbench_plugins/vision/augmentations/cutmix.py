"""CutMix: paste a box of one image into another (Yun et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Le
from ftbench import MixingAugmentation
from ftbench.tasks import Item

from .mixup import PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class CutMix(MixingAugmentation):
    """Paste a box of another training image; labels are mixed by area (Yun et al. 2019, arXiv:1905.04899)."""

    modality: ClassVar[str] = "vision"

    probability: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the examples to mix, drawn again for each example and epoch."""
    alpha: Annotated[float, Gt(0)] = 1.0
    """λ, the share of the image that remains, is drawn from Beta(α, α); the paper uses 1."""

    def mix(self, one: Item, other: Item, rng: np.random.Generator) -> Item:
        """Paste a box of √(1 − λ) of each side, centred anywhere and clipped to the image; labels follow its area."""
        pixels: NDArray[np.floating] = one.features[PIXELS].copy()
        height, width = pixels.shape[-2:]
        side = np.sqrt(1 - rng.beta(self.alpha, self.alpha))
        top, bottom = _edges(side * height, height, rng)
        left, right = _edges(side * width, width, rng)
        pixels[..., top:bottom, left:right] = other.features[PIXELS][..., top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)
        label = share * one.label + (1 - share) * other.label
        return Item({**one.features, PIXELS: pixels}, label.astype(np.float32), one.units)


def _edges(length: float, whole: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return the begin and end of a stretch around a random centre, clipped to the image."""
    centre = int(rng.integers(whole))
    half = int(length) // 2
    return max(0, centre - half), min(whole, centre - half + int(length))
