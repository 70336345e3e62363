"""Turn images of any mode into 8-bit images as viewers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUND = 255
"""Brightness of the ground behind transparent pixels: white."""
_SIXTEEN = 2**16 - 1
_RANGES = (1.0, 255.0, float(_SIXTEEN), float(2**31 - 1))
"""Usual largest values of modes that have no range of their own."""


def eight_bit(image: Any, mode: str) -> Any:
    """Return an image turned as its EXIF data say, on a white ground where it is transparent, in 8 bits.

    Args:
        image: a Pillow image of any mode.
        mode: `RGB` or `L`.

    Raises:
        ValueError: a pixel is not a finite number.
    """
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _scaled(image).convert(mode)
    return _on_ground(image).convert(mode) if image.has_transparency_data else image.convert(mode)


def _on_ground(image: Any) -> Any:
    from PIL import Image

    pixels = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", pixels.size, (GROUND,) * 4), pixels)


def _scaled(image: Any) -> Any:
    """Return an image of numbers as 8-bit grey: 0 is black, the largest value of their range is white.

    16-bit pixels have a range. That of 32-bit and of real numbers is the smallest usual one that has all of them: 0 to
    1, 255, 65535 or 2³¹ - 1; if some are negative, from minus that to that.
    """
    from PIL import Image

    values = np.asarray(image)
    clear = image.info.get("transparency")
    wide = image.mode.startswith("I;16")
    if not np.isfinite(values).all():
        raise ValueError("has pixels that are no finite numbers")
    lowest, highest = (0.0, float(_SIXTEEN)) if wide else _range(values, real=image.mode == "F")
    grey = np.rint((values.astype(np.float64) - lowest) * (255 / (highest - lowest))).astype(np.uint8)
    if isinstance(clear, int):
        grey[values == clear] = GROUND
    return Image.fromarray(grey)


def _range(values: NDArray[Any], *, real: bool) -> tuple[float, float]:
    most = float(np.abs(values.astype(np.float64)).max(initial=0))
    largest = next((usual for usual in _RANGES[0 if real else 1 :] if most <= usual), most)
    return (-largest if values.min(initial=0) < 0 else 0.0), largest
