"""Classification of user-provided images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import Encoded, UserError
from ftbench.tasks import Augmentable, Inspectable, Inspected, UserClassification, list_files

from .pixels import eight_bit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ftbench import Example
    from ftbench.tasks import Severity, Table

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp", ".avif", ".tif", ".tiff"),
    *(".bmp", ".dib", ".ico", ".icns", ".tga", ".pcx", ".dds", ".qoi", ".psd", ".sgi", ".rgb", ".rgba", ".bw"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
)
"""File suffixes of images that Pillow reads."""


@dataclass
class ImageClassification(Augmentable, UserClassification, Inspectable):
    """Classify images of your own, from a folder with one subfolder per class, or from a table."""

    modality: ClassVar[str] = "vision"
    unit: ClassVar[str] = "images"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        "image unreadable": ("error", "training will stop at it: replace or remove the file"),
        "image of one colour": ("warning", "there is nothing to see: replace or remove the file"),
        "grey image among colours": ("note", "all right where it is meant; three equal channels are learnt from"),
        "image of several frames": ("note", "only the first one is read: save the frames you need as images"),
    }

    image: str = "path"
    """Column of the images: their paths; or the images in Parquet, a Hub dataset or one written by `save_to_disk`.
    Transparent pixels are put on white; images that are not 8-bit are scaled by the range of their pixels."""
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
        return self._opened(cell, mode)[0]

    def _opened(self, cell: Any, mode: str) -> tuple[Any, int]:
        """Return an image, and its number of frames.

        Raises:
            UserError: the file is not an image; the message names it.
        """
        from PIL import Image

        source, name = self.located(cell, self.folder)
        try:
            # Given a path instead of a stream, Pillow 13 garbles TIFFs that are to be turned.
            with (
                BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream,
                Image.open(stream) as image,
            ):
                return eight_bit(image, mode), getattr(image, "n_frames", 1)
        except Exception as error:  # noqa: BLE001 - decoders raise errors of any type on damaged files
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{name}: cannot be read as an image: {reason}") from None

    def inspect(self, inputs: Sequence[Mapping[str, Any]], processor: Any) -> list[Inspected]:
        """Compute digests of the pixels, and of the image shrunk to 8 × 8."""
        colours = len(processor.image_mean) == 3
        return [self._inspected(row[self.image], colours=colours) for row in inputs]

    def _inspected(self, cell: Any, *, colours: bool) -> Inspected:
        from PIL import Image

        try:
            image, frames = self._opened(cell, "RGB")
        except UserError:
            return Inspected("", (), problems=("image unreadable",))
        pixels = np.asarray(image)
        problems = ["image of several frames"] if frames > 1 else []
        if pixels.reshape(-1, 3).std(0).max() < 1:
            return Inspected("", (), problems=(*problems, "image of one colour"))
        if colours and not np.ptp(pixels, axis=2).any():
            problems.append("grey image among colours")
        grid, sketch = (np.asarray(image.resize((side, side), Image.Resampling.BOX), np.uint8) for side in (3, 8))
        # Coarse brightness, quantised with two offsets: a value near the edge of a step in one is inside a step in the
        # other.
        near = tuple(_digest(((grid.mean(2) + offset) // 64).astype(np.uint8).tobytes()) for offset in (0, 32))
        return Inspected(_digest(pixels.tobytes()), near, sketch.tobytes(), tuple(problems))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
