"""Classification of user-provided images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import Encoded, UserError
from ftbench.tasks import Augmentable, Inspectable, Inspected, UserClassification, list_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ftbench import Example
    from ftbench.tasks import Severity, Table

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


@dataclass
class ImageClassification(Augmentable, UserClassification, Inspectable):
    """Classify images of your own, from a folder with one subfolder per class, or from a table."""

    modality: ClassVar[str] = "vision"
    unit: ClassVar[str] = "images"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "image unreadable": ("error", "training will stop at it: replace or remove the file"),
        "image of one colour": ("warning", "there is nothing to see: replace or remove the file"),
        "grey image among colours": ("note", "all right where it is meant; three equal channels are learnt from"),
    }

    image: str = "path"
    """Column of the images: their paths; or the images in Parquet, a Hub dataset or one written by `save_to_disk`."""
    folder: str = ""
    """Folder of the paths in a table, relative to it: `clips` for Common Voice; by default the table's folder."""
    pattern: str = ""
    """Pattern of a folder's file names, such as `{label}_{camera}`; each name becomes a column."""

    def inputs(self) -> tuple[str, ...]:
        """The column of the images."""
        return (self.image,)

    def folder_files(self) -> tuple[str, ...]:
        """Return the file suffixes of images."""
        return SUFFIXES

    def open_folder(self, folder: Path) -> Table:
        """List the images of a folder; the parent folder of an image is its class."""
        return list_files(folder, SUFFIXES, self.pattern)

    def raw_inputs(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> list[Any]:
        """Decode the images, in colour if the processor expects three channels."""
        mode = "RGB" if len(processor.image_mean) == 3 else "L"
        return [self._read(row[self.image], mode) for row in self.cells(examples)]

    def encode_inputs(
        self, inputs: Sequence[Any], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Resize and normalise with the backbone's processor."""
        return Encoded(
            columns={
                "pixel_values": np.asarray(processor(list(inputs), return_tensors="np")["pixel_values"], np.float32)
            },
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.ones(len(examples)),
        )

    def _read(self, cell: Any, mode: str) -> Any:
        """Decode an image.

        Raises:
            UserError: the file is not an image; the message names it.
        """
        from PIL import Image, UnidentifiedImageError

        source, name = self.located(cell, self.folder)
        try:
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                return image.convert(mode)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise UserError(f"{name}: cannot be read as an image: {str(error).splitlines()[0]}") from None

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Compute digests of the pixels, and of the image shrunk to 8 × 8."""
        colours = len(processor.image_mean) == 3
        return [self._inspected(row[self.image], colours=colours) for row in inputs]

    def _inspected(self, cell: Any, *, colours: bool) -> Inspected:
        from PIL import Image

        try:
            image = self._read(cell, "RGB")
        except UserError:
            return Inspected("", (), problems=("image unreadable",))
        pixels = np.asarray(image)
        problems = []
        if pixels.reshape(-1, 3).std(0).max() < 1:
            problems.append("image of one colour")
        elif colours and not np.ptp(pixels, axis=2).any():
            problems.append("grey image among colours")
        grid, sketch = (np.asarray(image.resize((side, side), Image.Resampling.BOX), np.uint8) for side in (3, 8))
        # Coarse brightness, quantised with two offsets: a value near the edge of a step in one is inside a step in the
        # other.
        near = tuple(_digest(((grid.mean(2) + offset) // 64).astype(np.uint8).tobytes()) for offset in (0, 32))
        return Inspected(_digest(pixels.tobytes()), near, sketch.tobytes(), tuple(problems))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
