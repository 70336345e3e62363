"""Classification of user-provided sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt
from ftbench import Encoded
from ftbench.tasks import Sound, UserClassification

from .sounds import OwnSounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ftbench import Example


@dataclass
class AudioClassification(OwnSounds, UserClassification):
    """Classify sounds of your own, from a folder or from a table of paths."""

    seconds: Annotated[float, Gt(0)] = 1.0
    """Length of every clip in seconds: longer sounds are cut at the end, shorter ones are padded with silence."""

    def longest(self) -> float:
        """Return the length of every clip in seconds."""
        return self.seconds

    def encode_inputs(
        self, inputs: Iterable[Sound], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Cut or pad to one length, and extract features with the backbone's processor."""
        rate = int(processor.sampling_rate)
        length = round(self.seconds * rate)
        clips, units = [], []
        for whole in inputs:
            sound = whole.samples[:length]
            units.append(len(sound) / rate)
            clips.append(np.pad(sound, (0, length - len(sound))))
        features = processor(clips, sampling_rate=rate, return_tensors="np")
        name = "input_values" if "input_values" in features else "input_features"
        return Encoded(
            columns={name: np.asarray(features[name], np.float32)},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.array(units),
        )
