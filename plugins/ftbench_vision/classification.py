"""Classification of a user's own images."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import Encoded, OwnData, UserError, list_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ftbench import Example, Table

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


@dataclass
class ImageClassification(OwnData):
    """Which class is an image of? Your own images, from a folder with a folder for each class, or from a table."""

    modality: ClassVar[str] = "vision"
    unit: ClassVar[str] = "images"

    image: str = "path"
    """Column of the images: their paths, or the images themselves in a data set written by `save_to_disk`."""
    pattern: str = ""
    """What the names of a folder's files hold, such as `{label}_{camera}`; each name becomes a column."""

    def inputs(self) -> tuple[str, ...]:
        """The image."""
        return (self.image,)

    def folder_files(self) -> tuple[str, ...]:
        """Give the endings of images."""
        return SUFFIXES

    def open_folder(self, folder: Path) -> Table:
        """List the images of a folder; the folder an image lies in is its class."""
        return list_files(folder, SUFFIXES, self.pattern)

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Resize and normalise with the backbone's processor, in colour where it wants three channels."""
        mode = "RGB" if len(processor.image_mean) == 3 else "L"
        images = [self._read(row[self.image], mode) for row in self.cells(examples)]
        return Encoded(
            columns={"pixel_values": np.asarray(processor(images, return_tensors="np")["pixel_values"], np.float32)},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.ones(len(examples)),
        )

    def _read(self, cell: Any, mode: str) -> Any:
        """Decode an image.

        Raises:
            UserError: naming the file that is no image.
        """
        from PIL import Image, UnidentifiedImageError

        source, name = self.located(cell)
        try:
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                return image.convert(mode)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise UserError(f"{name}: cannot be read as an image: {str(error).splitlines()[0]}") from None
