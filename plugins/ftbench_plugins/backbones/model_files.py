"""The files of a model directory: which identify the model, and what in them is not obeyed."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ftbench import UserError
from ftbench.fingerprint import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ADAPTER = "adapter_config.json"
"""File that makes transformers load an adapter into the model."""
_SHARD = re.compile(r"\w[\w.-]*\.safetensors", re.ASCII)
_DOCUMENTS = re.compile(
    r"\..*|(?:readme|licen[cs]e|notice|copying|changelog|citation)\b.*|.*\.(?:md|rst|pdf|png|jpe?g|gif|svg|webp|log)",
    re.IGNORECASE,
)
_UNREAD = re.compile(r".*\.(?:safetensors|bin|pt|pth|ckpt|pkl|h5|msgpack|ot|onnx|onnx_data|gguf|tflite|mlmodel|py|pyc)")
"""Weights that are not read, or listed apart, and code, which is never run."""
_TEMPLATES = "additional_chat_templates"
_NOT_OBEYED = {
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
    "auto_map",
    "custom_pipelines",
    "transformers_weights",
    "use_kernels",
    "kernel_config",
    "name_or_path",
    "_name_or_path",
}
"""Entries of a configuration that name code or other files."""


def identity(folder: Path, weights: list[Path]) -> dict[str, str]:
    """Return name → SHA-256 of the weights and of every other file of a model directory but documentation."""
    others = [path for place in (folder, folder / _TEMPLATES) if place.is_dir() for path in place.iterdir()]
    read = [
        path
        for path in sorted(others)
        if path.is_file() and not _DOCUMENTS.fullmatch(path.name) and not _UNREAD.fullmatch(path.name.lower())
    ]
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in [*read, *weights]}


def check_directory(folder: Path) -> None:
    """Check that nothing in a model directory makes transformers load more than the directory's own model.

    Raises:
        UserError: there is an adapter, or the tokenizer's configuration names a file elsewhere.
    """
    if (folder / ADAPTER).exists():
        raise UserError(
            f"{folder / ADAPTER}: transformers would load this adapter into the model; "
            "merge it and save the whole model (peft's merge_and_unload), or remove its files"
        )
    named = _table(folder / "tokenizer_config.json").items()
    for key, value in named:
        if key.endswith("_file") and isinstance(value, str) and _is_elsewhere(folder, value):
            raise UserError(
                f"{folder / 'tokenizer_config.json'}: {key} is a file elsewhere, {value!r}; remove the entry"
            )


def _is_elsewhere(folder: Path, name: str) -> bool:
    found = folder / name
    return ("/" in name or os.sep in name) and found.is_file() and found.resolve().parent != folder.resolve()


def _table(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty if the file is missing or malformed, which its own reader reports."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def shards(names: Mapping[str, Any], index: Path) -> list[Path]:
    """Return the weight files that an index names, all in its folder.

    Raises:
        UserError: a name leads out of the folder, or is not of a safetensors file.
    """
    found = sorted(set(names.values()))
    for name in found:
        if not _SHARD.fullmatch(name):
            raise UserError(f"{index}: names {name!r}, which is not a safetensors file next to it")
    return [index.parent / name for name in found]


def plain(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a configuration without what names code or other files.

    Raises:
        UserError: the weights are quantized.
    """
    if config.get("quantization_config"):
        raise UserError(f"{path}: its weights are quantized, which cannot be fine-tuned here; use the original weights")
    return {
        key: plain(value, path) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in _NOT_OBEYED
    }


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn what malformed files of a model directory cause into one line.

    Raises:
        UserError: an entry has another type than those that `save_pretrained` writes.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        what = f"{type(error).__name__} {error}"[:200]
        raise UserError(f"{folder}: a configuration in it is not what save_pretrained writes: {what}") from error


@contextmanager
def offline() -> Iterator[None]:
    """Keep transformers from asking the network while it loads, in whichever process."""
    from unittest.mock import patch

    from huggingface_hub import constants

    with patch.dict(os.environ, HF_HUB_OFFLINE="1"), patch.object(constants, "HF_HUB_OFFLINE", new=True):
        yield
