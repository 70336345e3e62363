"""Test items to look at: texts as they are, images and sounds as small data URIs."""

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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.catalog import Catalog

LARGEST = 20_000
"""Test items of a split whose lengths are read."""
MEDIA = 3
"""Images or sounds that are shown of a task."""
LETTERS, PIXELS, SECONDS = 400, 96, 4.0
_RATE = 16_000


@dataclass(frozen=True)
class Preview:
    """A test item as it can be shown."""

    kind: Literal["text", "image", "sound"]
    content: str
    """The text, or a data URI."""


@dataclass(frozen=True)
class Previews:
    """The test items of one task."""

    lengths: Mapping[str, float]
    """Id → letters of the text; empty where inputs are no texts, or too many."""
    shown: Mapping[str, Preview]
    """Id → the item, for those that were asked for."""
    reason: str = ""
    """Why none is shown."""


def exhibits_of(catalog: Catalog, task: Mapping[str, Any], split_seed: int, wanted: Sequence[str]) -> Previews:
    """Read test items again.

    Args:
        catalog: what the plugins offer.
        task: of a trial: `use`, `options` and `fingerprint`.
        split_seed: of the trial.
        wanted: ids of the items to show; of images and sounds, the first few of them.
    """
    try:
        built = catalog.build("tasks", task["use"], task["options"])
        if not isinstance(built, Augmentable):
            return Previews({}, {}, "this task's inputs cannot be shown")
        if not dict(built.fingerprint()).items() <= dict(task["fingerprint"]).items():
            return Previews({}, {}, "the data have changed since")
        test = built.splits(split_seed).test
        # What a processor says of the form in which it wants inputs, without the weights it belongs to.
        form = SimpleNamespace(image_mean=(0.5, 0.5, 0.5), sampling_rate=_RATE)
        ids = set(wanted if built.modality == "text" else wanted[:MEDIA])
        chosen = [example for example in (test[row] for row in range(len(test))) if example.id in ids]
        shown = {example.id: _exhibit(raw) for example, raw in zip(chosen, built.raw_inputs(chosen, form), strict=True)}
        lengths: dict[str, float] = {}
        if built.modality == "text" and len(test) <= LARGEST:
            examples = [test[row] for row in range(len(test))]
            lengths = {
                e.id: float(len(_text(raw))) for e, raw in zip(examples, built.raw_inputs(examples, form), strict=True)
            }
    except (UserError, OSError) as error:
        return Previews({}, {}, f"the data cannot be read: {str(error).splitlines()[0]}")
    return Previews(lengths, {identity: one for identity, one in shown.items() if one is not None})


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else " / ".join(map(str, raw))


def _exhibit(raw: Any) -> Preview | None:
    if isinstance(raw, Sound):
        return Preview("sound", _uri("audio/wav", _wave(raw)))
    if isinstance(raw, str) or (isinstance(raw, tuple) and all(isinstance(part, str) for part in raw)):
        text = _text(raw)
        return Preview("text", text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…")
    if hasattr(raw, "save") and hasattr(raw, "size"):
        return Preview("image", _uri("image/png", _thumbnail(raw)))
    return None


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _thumbnail(image: Any) -> bytes:
    from PIL.Image import Resampling

    share = PIXELS / max(image.size)
    size = [max(1, round(side * share)) for side in image.size]
    buffer = BytesIO()
    image.resize(size, Resampling.NEAREST if share > 1 else Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _wave(sound: Sound) -> bytes:
    """Write a sound as 16-bit WAV, its first seconds."""
    samples = np.clip(sound.samples[: int(SECONDS * sound.rate)], -1, 1)
    buffer = BytesIO()
    with wave.open(buffer, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sound.rate)
        stream.writeframes((samples * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
