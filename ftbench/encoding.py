"""Encoded splits on disk: made once for a task and a processor, memory-mapped by every trial that needs them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from .encoded import Encoded, Ragged
from .fingerprint import code_hash, digest, software
from .trial import TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .backbone import Backbone
    from .task import Task

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """The three splits of a task, encoded."""

    encoded: Mapping[str, Encoded]
    """Split → arrays."""
    split_hash: str
    """Hash of ids and labels of all splits."""


def prepare_data(
    task: Task, backbone: Backbone, processor: Any, *, split_seed: int, cache: Path, options: Callable[[Any], Mapping[str, Any]]
) -> Prepared:
    """Give the encoded splits of a task, from `cache` where they are there and whole.

    Args:
        task: makes the splits and encodes them.
        backbone: where the processor comes from; part of what the entry is known by.
        processor: what the task encodes with.
        split_seed: decides the splits.
        cache: the folder of what can be computed again.
        options: gives the options of the task and of the backbone as JSON values.
    """
    identity = {
        "parts": [[type(part).__qualname__, dict(options(part)), dict(part.fingerprint())] for part in (task, backbone)],
        "split_seed": split_seed,
        "code": [code_hash([type(task), type(backbone)]), TRAINING_VERSION],
        "software": software(),
    }
    folder = cache / "encoded" / digest(identity)
    found = _read(folder)
    if found is None:
        splits = task.splits(split_seed)
        made = {name: task.encode(splits[name], processor) for name in SPLITS if splits[name]}
        found = Prepared(made, splits.hash())
        _write(found, folder)
    return found


def _write(prepared: Prepared, folder: Path) -> None:
    """Write into a temporary folder and rename: of two builders the first wins; a full disk costs only time."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        index: dict[str, Any] = {"split_hash": prepared.split_hash, "splits": {}}
        for split, encoded in prepared.encoded.items():
            columns: dict[str, Any] = {}
            arrays: dict[str, np.ndarray[Any, Any]] = {"labels": encoded.labels, "units": encoded.units}
            for name, column in encoded.columns.items():
                if isinstance(column, Ragged):
                    columns[name] = {"padding": column.padding}
                    arrays[f"column.{name}"], arrays[f"offsets.{name}"] = column.values, column.offsets
                else:
                    columns[name] = None
                    arrays[f"column.{name}"] = column
            for name, array in arrays.items():
                np.save(temporary / f"{split}.{name}.npy", array, allow_pickle=False)
            index["splits"][split] = {"columns": columns, "ids": list(encoded.ids), "sizes": _sizes(temporary, split)}
        (temporary / "index.json").write_text(json.dumps(index), encoding="utf-8")
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)


def _sizes(folder: Path, split: str) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.glob(f"{split}.*.npy"))}


def _read(folder: Path) -> Prepared | None:
    """Read what was written; None, and the folder gone, where anything is missing or torn."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        encoded = {split: _read_split(folder, split, entry) for split, entry in index["splits"].items()}
        return Prepared(encoded, index["split_hash"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        with suppress(OSError):
            folder.rename(folder.with_name(f"{folder.name}.broken.{uuid4().hex[:8]}"))
        return None


def _read_split(folder: Path, split: str, entry: Mapping[str, Any]) -> Encoded:
    if _sizes(folder, split) != entry["sizes"]:
        message = "a file is not as long as it was written"
        raise ValueError(message)

    def load(name: str) -> Any:
        return np.load(folder / f"{split}.{name}.npy", mmap_mode="c", allow_pickle=False)

    columns = {
        name: load(f"column.{name}") if ragged is None else Ragged(load(f"column.{name}"), load(f"offsets.{name}"), ragged["padding"])
        for name, ragged in entry["columns"].items()
    }
    return Encoded(columns, np.asarray(load("labels")), tuple(entry["ids"]), np.asarray(load("units")))
