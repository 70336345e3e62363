"""Encoded splits on disk: made once for a task and a processor, memory-mapped by every trial that needs them."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from .augmentable import clean_options
from .chunked import CHUNK, ChunkedEncoded
from .encoded import Encoded, Ragged
from .fingerprint import code_hash, digest, software
from .splits import check_filled, outline
from .trial import TRAINING_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .backbone import Backbone
    from .splits import Example, Splits
    from .task import Task

SPLITS = ("train", "validation", "test")
LARGE = 20_000
"""Examples from which on a data set is encoded chunk by chunk, as they are asked for."""


LARGE_BYTES = 256 * 2**20
"""Bytes of encoded examples from which on it is, too."""
SAMPLE = 16
"""Examples their size is guessed by."""


@dataclass(frozen=True)
class Prepared:
    """The three splits of a task, encoded."""

    encoded: Mapping[str, Encoded]
    """Split → arrays."""
    split_hash: str
    """Hash of ids and labels of all splits."""
    examples: Callable[[], Sequence[Example[Any]]]
    """Gives the training examples before they are encoded, in the order of their rows."""


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
        "parts": [[type(part).__qualname__, clean_options(part, options(part)), dict(part.fingerprint())] for part in (task, backbone)],
        "split_seed": split_seed,
        "code": [code_hash([type(task), type(backbone)]), TRAINING_VERSION],
        "software": software(),
    }
    folder = cache / "encoded" / digest(identity)
    source = _Source(task, processor, split_seed)
    found = _read(folder, source)
    if found is not None:
        return found
    splits = source.splits
    check_filled(splits)
    if _is_large(source):
        return _outline(folder, source)
    made = {name: task.encode(splits[name], processor) for name in SPLITS if splits[name]}
    found = Prepared(made, splits.hash(), source.training)
    _write(found, folder)
    return found


@dataclass
class _Source:
    """Makes the splits, once, where something is missing that they are needed for."""

    task: Task
    processor: Any
    split_seed: int

    @cached_property
    def splits(self) -> Splits[Any]:
        return self.task.splits(self.split_seed)

    def training(self) -> Sequence[Example[Any]]:
        return self.splits.train

    def encode(self, split: str, begin: int, end: int) -> Encoded:
        return self.task.encode(self.splits[split][begin:end], self.processor)


def _is_large(source: _Source) -> bool:
    """Tell whether a data set has too many examples to be encoded at once, or too large ones by a few of them."""
    total = sum(len(source.splits[name]) for name in SPLITS)
    if total > LARGE or total <= CHUNK:
        return total > LARGE
    few = source.encode("train", 0, SAMPLE)
    arrays = [column.values if isinstance(column, Ragged) else column for column in few.columns.values()]
    return sum(array.nbytes for array in arrays) / len(few) * total > LARGE_BYTES


def _outline(folder: Path, source: _Source) -> Prepared:
    """Note which examples a large data set has; they are encoded chunk by chunk when they are asked for."""
    splits = source.splits
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.{uuid4().hex[:8]}")
    index: dict[str, Any] = {"split_hash": splits.hash(), "chunked": {}}
    outlines = {name: outline(splits[name]) for name in SPLITS if splits[name]}
    labels = {name: np.array(found) for name, (_, found) in outlines.items()}
    ids = {name: tuple(found) for name, (found, _) in outlines.items()}
    try:
        temporary.mkdir(parents=True)
        for name, column in labels.items():
            np.save(temporary / f"{name}.labels.npy", column, allow_pickle=False)
            (temporary / f"{name}.ids.txt").write_text("\n".join(ids[name]), encoding="utf-8")
            index["chunked"][name] = len(column)
        (temporary / "index.json").write_text(json.dumps(index), encoding="utf-8")
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
    return Prepared(
        {name: _chunked(folder, name, labels[name], ids[name], source) for name in labels}, index["split_hash"], source.training
    )


def _chunked(folder: Path, split: str, labels: Any, ids: tuple[str, ...], source: _Source) -> Encoded:
    return ChunkedEncoded(folder / "chunks" / split, labels, ids, partial(source.encode, split))


def _write(prepared: Prepared, folder: Path) -> None:
    """Write into a temporary folder and rename: of two builders the first wins; a full disk costs only time."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        index: dict[str, Any] = {"split_hash": prepared.split_hash, "splits": {}}
        for split, encoded in prepared.encoded.items():
            columns: dict[str, Any] = {}
            arrays: dict[str, np.ndarray[Any, Any]] = {"units": encoded.units}
            for name, column in {**encoded.columns, "labels": encoded.labels}.items():
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


def _read(folder: Path, source: _Source) -> Prepared | None:
    """Read what was written; None, and the folder gone, where anything is missing or torn."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if "chunked" in index:
            made = {name: _read_outline(folder, name, size, source) for name, size in index["chunked"].items()}
            return Prepared(made, index["split_hash"], source.training)
        encoded = {split: _read_split(folder, split, entry) for split, entry in index["splits"].items()}
        return Prepared(encoded, index["split_hash"], source.training)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        with suppress(OSError):
            folder.rename(folder.with_name(f"{folder.name}.broken.{uuid4().hex[:8]}"))
        return None


def _read_outline(folder: Path, split: str, size: int, source: _Source) -> Encoded:
    labels = np.load(folder / f"{split}.labels.npy", mmap_mode="r", allow_pickle=False)
    ids = tuple((folder / f"{split}.ids.txt").read_text(encoding="utf-8").split("\n"))
    if len(labels) != size or len(ids) != size:
        message = "a file is not as long as it was written"
        raise ValueError(message)
    return _chunked(folder, split, labels, ids, source)


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
    return Encoded(columns, columns.pop("labels"), tuple(entry["ids"]), np.asarray(load("units")))
