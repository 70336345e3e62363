"""Encoded splits: computed once for a task and a processor, cached on disk and memory-mapped by every trial."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.augmentation import clean_options
from ..api.encoded import Encoded, Ragged
from ..api.splits import check_filled, outline
from ..cache import Arrays, Cache
from ..environment import software
from ..fingerprint import code_hash, digest
from ..suite.trial import TRAINING_VERSION
from .chunked import CHUNK, ChunkedEncoded
from .splitting import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..api.backbone import Backbone
    from ..api.splits import Example, Splits
    from ..api.task import Task

LARGE = 20_000
"""Number of examples above which a data set is encoded in chunks, on demand."""
LARGE_BYTES = 256 * 2**20
"""Size of the encoded examples, in bytes, above which it is too."""
SAMPLE = 16
"""Number of examples used to estimate that size."""


@dataclass(frozen=True)
class Prepared:
    """The encoded splits of a task."""

    encoded: Mapping[str, Encoded]
    """Split → arrays."""
    split_hash: str
    """Hash of the ids and labels of all splits."""
    examples: Callable[[], Sequence[Example[Any]]]
    """Returns the training examples before encoding, in row order."""


def prepare_data(
    task: Task,
    backbone: Backbone,
    processor: Any,
    *,
    split_seed: int,
    cache: Path,
    options: Callable[[Any], Mapping[str, Any]],
    waiting: Callable[[], None] = lambda: None,
    names: Sequence[str] = SPLITS,
) -> Prepared:
    """Return the encoded splits of a task, from the cache if it has them.

    Args:
        task: creates the splits and encodes them.
        backbone: source of the processor; part of the cache key.
        processor: the processor with which the task encodes.
        split_seed: seed of the splits.
        cache: the cache folder.
        options: returns the options of the task or the backbone as JSON values.
        waiting: called repeatedly while another process encodes the same splits.
        names: the required splits; no example of another split is read.
    """
    identity = {
        "parts": [
            [type(part).__qualname__, clean_options(part, options(part)), dict(part.fingerprint())]
            for part in (task, backbone)
        ],
        "split_seed": split_seed,
        "code": [code_hash([type(task), type(backbone)]), TRAINING_VERSION],
        "software": software(),
        **({} if tuple(names) == SPLITS else {"splits": list(names)}),
    }
    store, source = Cache(cache), _Source(task, processor, split_seed, tuple(names))

    def make() -> _Outline | _Whole:
        splits = source.splits
        check_filled(splits, names)
        if _is_large(source):
            return _outline(source)
        return _Whole(
            splits.hash(names), {name: task.encode(splits[name], processor) for name in names if splits[name]}
        )

    found = store.get("encoded", identity, make, _Splits(), waiting=waiting).value
    if isinstance(found, _Whole):
        return Prepared(found.encoded, found.split_hash, source.training)
    key = digest(identity)
    chunked = {
        name: ChunkedEncoded(store, {"of": key, "split": name}, labels, found.ids[name], partial(source.encode, name))
        for name, labels in found.labels.items()
    }
    return Prepared(chunked, found.split_hash, source.training)


@dataclass
class _Source:
    """Creates the splits on first use."""

    task: Task
    processor: Any
    split_seed: int
    names: tuple[str, ...]

    @cached_property
    def splits(self) -> Splits[Any]:
        return self.task.splits(self.split_seed)

    def training(self) -> Sequence[Example[Any]]:
        return self.splits.train

    def encode(self, split: str, begin: int, end: int) -> Encoded:
        return self.task.encode(self.splits[split][begin:end], self.processor)


def _is_large(source: _Source) -> bool:
    """Return whether a data set has too many or, judged by a sample, too large examples to encode at once."""
    total = sum(len(source.splits[name]) for name in source.names)
    if total > LARGE or total <= CHUNK:
        return total > LARGE
    few = source.encode("train", 0, SAMPLE)
    arrays = [column.values if isinstance(column, Ragged) else column for column in few.columns.values()]
    return sum(array.nbytes for array in arrays) / len(few) * total > LARGE_BYTES


def _outline(source: _Source) -> _Outline:
    """Return the ids and classes of a large data set, which is encoded in chunks later."""
    splits = source.splits
    outlines = {name: outline(splits[name]) for name in source.names if splits[name]}
    return _Outline(
        splits.hash(source.names),
        {name: np.array(labels) for name, (_, labels) in outlines.items()},
        {name: tuple(ids) for name, (ids, _) in outlines.items()},
    )


@dataclass(frozen=True)
class _Outline:
    """A data set that is not encoded yet."""

    split_hash: str
    labels: Mapping[str, NDArray[np.int64]]
    """Split → class of each example."""
    ids: Mapping[str, tuple[str, ...]]
    """Split → id of each example."""


@dataclass(frozen=True)
class _Whole:
    """An encoded data set."""

    split_hash: str
    encoded: Mapping[str, Encoded]


class _Splits:
    """Cache format of a data set: an index, and one file per array."""

    def write(self, value: _Outline | _Whole, folder: Path) -> None:
        index: dict[str, Any] = {"split_hash": value.split_hash}
        if isinstance(value, _Outline):
            index["ids"] = {name: list(ids) for name, ids in value.ids.items()}
            Arrays().write(value.labels, folder)
        else:
            index["splits"] = {
                name: self._write_split(name, encoded, folder) for name, encoded in value.encoded.items()
            }
        (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")

    def _write_split(self, split: str, encoded: Encoded, folder: Path) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        arrays: dict[str, NDArray[Any]] = {"units": encoded.units}
        for name, column in {**encoded.columns, "labels": encoded.labels}.items():
            if isinstance(column, Ragged):
                columns[name] = {"padding": column.padding}
                arrays[f"column.{name}"], arrays[f"offsets.{name}"] = column.values, column.offsets
            else:
                columns[name] = None
                arrays[f"column.{name}"] = column
        Arrays().write({f"{split}.{name}": array for name, array in arrays.items()}, folder)
        return {"columns": columns, "ids": list(encoded.ids)}

    def read(self, folder: Path) -> _Outline | _Whole:
        index, arrays = json.loads((folder / "index.json").read_text(encoding="utf-8")), Arrays().read(folder)
        if "ids" in index:
            return _Outline(index["split_hash"], arrays, {name: tuple(ids) for name, ids in index["ids"].items()})
        return _Whole(
            index["split_hash"], {split: _read_split(arrays, split, entry) for split, entry in index["splits"].items()}
        )


def _read_split(arrays: Mapping[str, Any], split: str, entry: Mapping[str, Any]) -> Encoded:
    def column(name: str, ragged: Mapping[str, Any] | None) -> Any:
        values = arrays[f"{split}.column.{name}"]
        return values if ragged is None else Ragged(values, arrays[f"{split}.offsets.{name}"], ragged["padding"])

    columns = {name: column(name, ragged) for name, ragged in entry["columns"].items()}
    return Encoded(columns, columns.pop("labels"), tuple(entry["ids"]), np.asarray(arrays[f"{split}.units"]))
