"""Derive a network's input spec from its configuration and its processor's, and count a speech network's outputs."""

from __future__ import annotations

import json
from functools import lru_cache
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


def count_frames(folder: Path, samples: int) -> int | None:
    """Return how many outputs the convolutions of a network leave of a sound; None if it has none, as Whisper."""
    layers = _convolutions(folder, (folder / "config.json").stat().st_mtime_ns)
    if layers is None:
        return None
    for kernel, stride in layers:
        samples = (samples - kernel) // stride + 1
    return max(0, samples)


@lru_cache(maxsize=4)
def _convolutions(folder: Path, modified: int) -> list[tuple[int, int]] | None:
    """Return kernel and stride of a speech network's convolutions over time; None if it has none."""
    del modified
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not hasattr(config, "conv_kernel"):
        return None
    layers = list(zip(config.conv_kernel, config.conv_stride, strict=True))
    if getattr(config, "add_adapter", False):
        layers += [(1, config.adapter_stride)] * config.num_adapter_layers
    return layers


def _processor(folder: Path) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
