"""Mixup: average images and labels (Zhang et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Gt
from ftbench import MixingAugmentation
from ftbench.tasks import Item

if TYPE_CHECKING:
    import numpy as np

PIXELS = "pixel_values"


@dataclass
class Mixup(MixingAugmentation):
    """Average an image and its label with those of another training example (Zhang et al. 2018, arXiv:1710.09412)."""

    modality: ClassVar[str] = "vision"

    alpha: Annotated[float, Gt(0)] = 0.2
    """λ, the weight of the image, is drawn from Beta(α, α): a small α mixes little, 1 is uniform."""

    def mix(self, one: Item, other: Item, rng: np.random.Generator) -> Item:
        """Return λ·one + (1 − λ)·other."""
        share = float(rng.beta(self.alpha, self.alpha))
        return averaged(one, other, share)


def averaged(one: Item, other: Item, share: float) -> Item:
    """Return share·one + (1 − share)·other, for pixels and labels."""
    pixels = share * one.features[PIXELS] + (1 - share) * other.features[PIXELS]
    label = share * one.label + (1 - share) * other.label
    dtype = one.features[PIXELS].dtype
    return Item({**one.features, PIXELS: pixels.astype(dtype)}, label.astype("float32"), one.units)
