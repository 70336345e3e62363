"""CutMix: a box of one image is pasted into another (Yun et al. 2019)."""

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
    """Paste a box of another training image in; the labels share as the areas do (Yun et al. 2019, arXiv:1905.04899)."""

    modality: ClassVar[str] = "vision"

    probability: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the examples that are mixed, drawn anew for each example and epoch."""
    alpha: Annotated[float, Gt(0)] = 1.0
    """λ, the share of the image that stays, is drawn from Beta(α, α); 1 is the paper's."""

    def mix(self, one: Item, other: Item, rng: np.random.Generator) -> Item:
        """Paste a box of √(1 − λ) of both sides, its centre anywhere; what lies outside the image is cut off, and counted so."""
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
    """Give where a stretch around a random centre begins and ends, within the image."""
    centre = int(rng.integers(whole))
    half = int(length) // 2
    return max(0, centre - half), min(whole, centre - half + int(length))
