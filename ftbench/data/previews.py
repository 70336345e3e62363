"""Previews of test items: texts, and images and sounds as small data URIs."""

from __future__ import annotations

import base64
import wave
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..api.augmentation import Augmentable, Sound
from ..errors import UserError
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..api.catalog import Catalog

MAX_ITEMS = 20_000
"""Largest number of test items whose lengths are read."""
MAX_MEDIA = 3
"""Largest number of images or sounds shown per task."""
MAX_CHARACTERS, MAX_PIXELS, MAX_SECONDS = 400, 96, 4.0
"""Size of a preview: characters of a text, longer side of an image, and length of a sound."""
_RATE = 16_000
_ELSEWHERE = (
    "data outside the working directory are read only if a run on this machine has read them: run the suite, or report "
    "from the folder of the data"
)


@dataclass(frozen=True)
class Preview:
    """Preview of a test item."""

    kind: Literal["text", "image", "sound"]
    content: str
    """The text, or a data URI."""


@dataclass(frozen=True)
class Previews:
    """Previews of the test items of one task."""

    lengths: Mapping[str, float]
    """Id → length of the text in characters; empty if inputs are not texts, or there are too many."""
    shown: Mapping[str, Preview]
    """Id → preview of each requested item."""
    reason: str = ""
    """Why there are no previews."""


def previews_of(
    catalog: Catalog, task: Mapping[str, Any], split_seed: int, wanted: Sequence[str], *, within: Path | None = None
) -> Previews:
    """Read test items again and return their previews.

    Args:
        catalog: builds the task.
        task: the task of a trial: `use`, `options` and `fingerprint`.
        split_seed: split seed of the trial.
        wanted: ids of the items to show; only the first few of images and sounds.
        within: folder that the data must be in, unless a run on this machine has read them: the record may be a
            stranger's. None for any.
    """
    try:
        built = catalog.build("tasks", task["use"], task["options"])
        if not isinstance(built, Augmentable):
            return Previews({}, {}, "this task's inputs cannot be shown")
        if within is not None and isinstance(built, UserData) and not (built.is_within(within) or built.was_read()):
            return Previews({}, {}, _ELSEWHERE)
        if not dict(built.fingerprint()).items() <= dict(task["fingerprint"]).items():
            return Previews({}, {}, "the data have changed since the run")
        test = built.splits(split_seed).test
        # Input format that a processor would give, without loading one.
        input_format = SimpleNamespace(image_mean=(0.5, 0.5, 0.5), sampling_rate=_RATE)
        ids = set(wanted if built.modality == "text" else wanted[:MAX_MEDIA])
        chosen = [example for example in (test[row] for row in range(len(test))) if example.id in ids]
        shown = {
            example.id: _preview(raw)
            for example, raw in zip(chosen, built.raw_inputs(chosen, input_format), strict=True)
        }
        lengths: dict[str, float] = {}
        if built.modality == "text" and len(test) <= MAX_ITEMS:
            examples = [test[row] for row in range(len(test))]
            lengths = {
                e.id: float(len(_text(raw)))
                for e, raw in zip(examples, built.raw_inputs(examples, input_format), strict=True)
            }
    except (UserError, OSError) as error:
        return Previews({}, {}, f"the data cannot be read: {str(error).splitlines()[0]}")
    return Previews(lengths, {identity: one for identity, one in shown.items() if one is not None})


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else " / ".join(map(str, raw))


def _preview(raw: Any) -> Preview | None:
    if isinstance(raw, Sound):
        return Preview("sound", _uri("audio/wav", _wave(raw)))
    if isinstance(raw, str) or (isinstance(raw, tuple) and all(isinstance(part, str) for part in raw)):
        text = _text(raw)
        return Preview("text", text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…")
    if hasattr(raw, "save") and hasattr(raw, "size"):
        return Preview("image", _uri("image/png", _thumbnail(raw)))
    return None


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _thumbnail(image: Any) -> bytes:
    from PIL.Image import Resampling

    share = MAX_PIXELS / max(image.size)
    size = [max(1, round(side * share)) for side in image.size]
    buffer = BytesIO()
    image.resize(size, Resampling.NEAREST if share > 1 else Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _wave(sound: Sound) -> bytes:
    """Return the first seconds of a sound as 16-bit WAV."""
    samples = np.clip(sound.samples[: int(MAX_SECONDS * sound.rate)], -1, 1)
    buffer = BytesIO()
    with wave.open(buffer, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sound.rate)
        stream.writeframes((samples * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
