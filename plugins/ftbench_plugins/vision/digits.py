"""Handwritten digits: the 1,797 real 8 × 8 images in scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Encoded, Example, Provenance, Splits
from ftbench.fingerprint import file_sha256
from ftbench.tasks import Augmentable, DrawnClassificationTask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def _file() -> Path:
    spec = find_spec("sklearn")
    assert spec is not None, "scikit-learn is a dependency"
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"


@dataclass
class Digits(Augmentable, DrawnClassificationTask):
    """Classify handwritten digits. Ten classes."""

    modality: ClassVar[str] = "vision"
    unit: ClassVar[str] = "images"
    numerals: ClassVar[tuple[int, ...]] = tuple(range(10))

    @property
    def classes(self) -> tuple[str, ...]:
        """The numerals."""
        return tuple(str(numeral) for numeral in self.numerals)

    def splits(self, seed: int) -> Splits[NDArray[np.uint8]]:
        """Draw balanced splits."""
        table = np.loadtxt(_file(), delimiter=",")
        pixels = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        examples = [
            Example(f"digit-{row}", pixels[row], self.numerals.index(numeral))
            for row, numeral in enumerate(table[:, -1].astype(int).tolist())
            if numeral in self.numerals
        ]
        return Splits(**self.drawn(examples, seed))

    def raw_inputs(self, examples: Sequence[Example[NDArray[np.uint8]]], processor: Any) -> list[Any]:
        """Return the images of 8 × 8 pixels, in colour if the processor expects three channels."""
        from PIL import Image

        mode = "RGB" if len(processor.image_mean) == 3 else "L"
        return [Image.fromarray(example.value).convert(mode) for example in examples]

    def encode_inputs(
        self, inputs: Sequence[Any], examples: Sequence[Example[NDArray[np.uint8]]], processor: Any
    ) -> Encoded:
        """Upscale and normalise with the backbone's processor."""
        pixels = processor(list(inputs), return_tensors="np")["pixel_values"]
        return Encoded(
            columns={"pixel_values": np.asarray(pixels, np.float32)},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.ones(len(examples)),
        )

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hash of scikit-learn's file."""
        return {"digits": file_sha256(_file())}

    def provenance(self) -> Provenance:
        """Return the dataset as source."""
        return Provenance("CC-BY-4.0", "UCI Optical Recognition of Handwritten Digits (test part), inside scikit-learn")


@dataclass
class Digits04(Digits):
    """Classify the digits 0 to 4."""

    numerals: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    test_size: Annotated[int, Ge(1)] = 500
    """Number of test examples."""


@dataclass
class Digits59(Digits):
    """Classify the digits 5 to 9."""

    numerals: ClassVar[tuple[int, ...]] = (5, 6, 7, 8, 9)
    test_size: Annotated[int, Ge(1)] = 500
    """Number of test examples."""
