"""Derive a network's input spec from its configuration and its processor's, both read without transformers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ftbench import InputSpec, UserError

from .architectures import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RATE = 16_000
"""Samples per second if the processor does not set a rate."""
TOKENS = 128
SIDE = 224
SECONDS = 1.0


def read_inputs(folder: Path, config: Mapping[str, Any], positions: int | None, length: float | None) -> InputSpec:
    """Return the input spec of one example.

    Args:
        folder: the model directory; its `preprocessor_config.json` is used if present.
        config: the model's configuration.
        positions: the longest text the network accepts, in tokens; None if unlimited.
        length: tokens, pixels of a side, or seconds.

    Raises:
        UserError: the network does not accept this length.
    """
    kind = config["model_type"]
    modality = ARCHITECTURES[kind].modality
    if modality == "text":
        return _text(kind, positions, length)
    processor = _processor(folder)
    if modality == "vision":
        return _image(kind, config, processor, length)
    return _sound(kind, config, processor, length)


def _text(kind: str, positions: int | None, length: float | None) -> InputSpec:
    tokens = int(length or TOKENS)
    if positions is not None and tokens > positions:
        if length is not None:
            raise UserError(f"length: {kind} reads {positions} tokens at most, not {tokens}")
        tokens = positions
    return InputSpec("input_ids", (tokens,), tokens)


def _image(kind: str, config: Mapping[str, Any], processor: Mapping[str, Any], length: float | None) -> InputSpec:
    fixed = config.get("image_size") if kind in ("vit", "deit", "swin") else None
    fixed = fixed[0] if isinstance(fixed, list) else fixed
    if fixed and length and length != fixed:
        raise UserError(f"length: this {kind} reads images of {fixed} pixels, not of {length:g}")
    size = processor.get("crop_size") or processor.get("size") or {}
    asked = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    side = int(fixed or length or asked or config.get("image_size") or SIDE)
    return InputSpec("pixel_values", (int(config.get("num_channels", 3)), side, side), side)


def _sound(kind: str, config: Mapping[str, Any], processor: Mapping[str, Any], length: float | None) -> InputSpec:
    rate = int(processor.get("sampling_rate", RATE))
    if kind == "whisper":
        frames = 2 * int(config.get("max_source_positions", 1500))
        return InputSpec("input_features", (int(config.get("num_mel_bins", 80)), frames), frames / 100)
    if kind == "audio-spectrogram-transformer":
        frames = int(config.get("max_length", 1024))
        return InputSpec("input_values", (frames, int(config.get("num_mel_bins", 128))), frames / 100)
    seconds = float(length or SECONDS)
    return InputSpec("input_values", (round(seconds * rate),), seconds)


def _processor(folder: Path) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
