"""What every task on a user's own data shares: where the rows lie, what they are labelled, how they are divided."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, overload

import numpy as np
from annotated_types import Ge, Gt, Le, Len

from .division import NAMES, Division, divide, thinned
from .errors import UserError
from .fingerprint import file_sha256, folder_sha256
from .splits import Example, Splits
from .tables import CHUNK, StoredTable, as_text, read_table, stored_splits, table_columns
from .task import Provenance, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .tables import Table

GIVEN = {"train": ("train", "training"), "validation": ("validation", "valid", "val", "dev"), "test": ("test", "testing")}
"""Split → what its file or folder may be called."""


@dataclass(frozen=True)
class Rows(Sequence[Example[tuple[str, int]]]):
    """Some rows of a table as examples, made when they are asked for; a value is the table's key and the row's number."""

    key: str
    """Which table: `data`, or the split it was given as."""
    numbers: NDArray[np.int64]
    """Rows of the table, shape [examples]."""
    labels: NDArray[np.int64]
    """Their classes, shape [examples]; 0 where there are no classes."""

    @overload
    def __getitem__(self, place: int) -> Example[tuple[str, int]]: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Example[tuple[str, int]] | Rows:
        if isinstance(place, slice):
            return Rows(self.key, self.numbers[place], self.labels[place])
        number = int(self.numbers[place])
        return Example(f"{self.key}-{number}", (self.key, number), int(self.labels[place]))

    def __len__(self) -> int:
        return len(self.numbers)

    def ids(self) -> list[str]:
        """Give the ids of all examples without making the examples."""
        return [f"{self.key}-{number}" for number in self.numbers.tolist()]


@dataclass
class OwnData(Task):
    """A task on rows a user brings; plugins say which cells are the input and how they are encoded."""

    data: str
    """The data: a file (CSV, TSV, JSON lines, Parquet), a folder with one file or folder for each split (`train`, `test` and
    perhaps `validation`), or a folder written by `save_to_disk`."""
    target: str = "label"
    """Column of what is to be answered."""
    group: str = ""
    """Column of what must stay in one split: a speaker, a document, a patient."""
    ratios: Annotated[tuple[float, ...], Len(3, 3)] = (0.7, 0.15, 0.15)
    """Shares of training, validation and test where the data do not come divided."""
    stratify: bool = True
    """Give every split the classes in the same shares."""
    folds: Annotated[int, Ge(0)] = 0
    """Divide by cross-validation into so many folds; 0 divides by ratios."""
    fold: Annotated[int, Ge(0)] = 0
    """The fold that is the test split, from 0."""
    shots: Annotated[int, Ge(0)] = 0
    """Training examples kept of each class; 0 keeps all."""
    limit: Annotated[float, Gt(0), Le(1)] = 1.0
    """Share of every split that is kept: 0.01 for a dry run."""

    def __post_init__(self) -> None:
        """Check what can be checked without the data.

        Raises:
            UserError: shares that are none, or a fold that is not there.
        """
        mistakes = []
        if any(share < 0 for share in self.ratios) or not self.ratios[0] or not self.ratios[2]:
            mistakes.append(f"ratios: training and test need a share above 0, got {list(self.ratios)}")
        if self.folds == 1 or (self.folds and self.fold >= self.folds):
            mistakes.append(f"fold: there is no fold {self.fold} of {self.folds}; folds are counted from 0, and are at least two")
        if mistakes:
            raise UserError(*mistakes)

    # -- what a plugin says ------------------------------------------------------------------------------------------------

    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Name the columns that are the input."""

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Give what each row is divided by, counted from 0, shape [rows]; -1 where a row has no label and is left out."""
        cells = (
            row[self.target]
            for begin in range(0, len(table), CHUNK)
            for row in table.rows(range(begin, min(begin + CHUNK, len(table))), [self.target])
        )
        return np.array([-1 if _is_empty(cell) else 0 for cell in cells], np.int64)

    def open_file(self, path: Path) -> Table:
        """Open a file of rows."""
        return read_table(path)

    def file_columns(self, path: Path) -> tuple[str, ...]:
        """Name the columns of such a file, without reading its rows."""
        return table_columns(path)

    def open_folder(self, folder: Path) -> Table | None:
        """Open a folder whose files are the examples; None where the modality has no such folders."""
        del folder
        return None

    def folder_files(self) -> tuple[str, ...]:
        """Give the endings of the files that are examples in such a folder."""
        return ()

    # -- the tables --------------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> dict[str, Path]:
        """Find the files or folders: `data` alone, or one for each split that is given."""
        path = Path(self.data).expanduser()
        if not path.exists():
            raise UserError(f"data: {path}: no such file or folder")
        if path.is_file() or (path / "state.json").exists() or (path / "dataset_dict.json").exists():
            return {"data": path}
        entries = {entry.stem.lower() if entry.is_file() else entry.name.lower(): entry for entry in sorted(path.iterdir())}
        given = {split: entries[name] for split, names in GIVEN.items() for name in names if name in entries}
        if not given:
            return {"data": path}
        lost = [split for split in ("train", "test") if split not in given]
        if lost:
            raise UserError(f"data: {path}: has {', '.join(sorted(given))} and no {lost[0]}")
        return given

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Open the tables: `data` alone, or one for each split that is given."""
        if list(self._places) == ["data"]:
            stored = stored_splits(self._places["data"]) if self._places["data"].is_dir() else None
            if stored is not None:
                return self._stored(stored)
        found = {key: self._open(path) for key, path in self._places.items()}
        for key, table in found.items():
            self._check_columns(table.columns, self._places[key])
        return found

    def _stored(self, stored: dict[str, StoredTable]) -> dict[str, Table]:
        found: dict[str, Table] = {split: stored[name] for split, names in GIVEN.items() for name in names if name in stored}
        if "train" not in found or "test" not in found:
            # One split alone, whatever it is called, is data still to be divided.
            if len(stored) > 1:
                raise UserError(f"data: {self.data}: has the splits {', '.join(stored)}; train and test are needed")
            found = {"data": next(iter(stored.values()))}
        for table in found.values():
            self._check_columns(table.columns, Path(self.data))
        return found

    def _open(self, path: Path) -> Table:
        if path.is_file():
            return self.open_file(path)
        folder = self.open_folder(path)
        if folder is None:
            raise UserError(f"data: {path}: is a folder without a train and a test file")
        return folder

    def check_folder(self, path: Path) -> None:
        """Refuse a folder of examples in which something is missing."""
        self._check_columns(self._open(path).columns, path)

    def _check_columns(self, columns: Sequence[str], path: Path) -> None:
        wanted = [*self.inputs(), self.target, *([self.group] if self.group else [])]
        lost = [name for name in dict.fromkeys(wanted) if name not in columns]
        if lost:
            raise UserError(*(f"data: {path}: has no column {name!r}; its columns: {', '.join(columns)}" for name in lost))

    # -- splits ----------------------------------------------------------------------------------------------------------------

    def splits(self, seed: int) -> Splits[tuple[str, int]]:
        """Divide the rows that have a label; those without are left out."""
        division = Division(tuple(self.ratios), self.stratify, self.folds, self.fold, self.shots, self.limit)  # type: ignore[arg-type]  # three, checked
        if "data" in self.tables:
            table = self.tables["data"]
            classes = self.kinds(table)
            rows = np.flatnonzero(classes >= 0)
            groups = table.codes(self.group)[0][rows] if self.group else None
            divided = divide(division, classes[rows], groups, seed)
            return Splits(**{name: Rows("data", rows[divided[name]], classes[rows[divided[name]]]) for name in NAMES})
        return self._given(division, seed)

    def _given(self, division: Division, seed: int) -> Splits[tuple[str, int]]:
        """Take the splits as they are given; validation is cut from training where there is none."""
        rng = np.random.default_rng(seed)
        classes = {key: self.kinds(table) for key, table in self.tables.items()}
        rows = {key: np.flatnonzero(found >= 0) for key, found in classes.items()}
        keys = dict.fromkeys(NAMES, "train") | {key: key for key in rows}
        if "validation" not in rows:
            groups = self.tables["train"].codes(self.group)[0][rows["train"]] if self.group else None
            shares = (division.ratios[0], division.ratios[1], 0.0)
            parts = divide(Division(shares, division.stratify), classes["train"][rows["train"]], groups, seed)
            rows |= {"validation": rows["train"][parts["validation"]], "train": rows["train"][parts["train"]]}
        found = {}
        for name in NAMES:
            own = classes[keys[name]]
            kept = thinned(division if name == "train" else Division(limit=division.limit), {"train": rows[name]}, own, rng)["train"]
            found[name] = Rows(keys[name], kept, own[kept])
        return Splits(**found)

    def cells(self, examples: Sequence[Example[tuple[str, int]]], columns: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Read cells of some examples, in their order: those of the input, and of `columns`."""
        found: list[dict[str, Any]] = [{}] * len(examples)
        by_table: dict[str, list[int]] = {}
        for place, example in enumerate(examples):
            by_table.setdefault(example.value[0], []).append(place)
        for key, places in by_table.items():
            rows = self.tables[key].rows([examples[place].value[1] for place in places], (*self.inputs(), *columns))
            for place, row in zip(places, rows, strict=True):
                found[place] = row
        return found

    def named(self, ids: Sequence[str]) -> list[Example[tuple[str, int]]]:
        """Give the examples that are called so, without their classes; for reading their cells again where they are scored."""
        places = (identity.rpartition("-") for identity in ids)
        return [Example(identity, (key, int(row)), 0) for identity, (key, _, row) in zip(ids, places, strict=True)]

    def located(self, cell: Any) -> tuple[bytes | Path, str]:
        """Find a file a cell stands for: its bytes or its path, and what to call it; paths are seen from where the data lie."""
        if isinstance(cell, dict):
            if cell.get("bytes") is not None:
                return cell["bytes"], str(cell.get("path") or "an embedded file")
            cell = cell.get("path")
        path = Path(as_text(cell))
        if not path.is_absolute():
            place = Path(self.data).expanduser()
            path = (place if place.is_dir() else place.parent) / path
        return path, str(path)

    # -- identity ------------------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Mapping[str, Any]:
        """Give the hashes of the files.

        Raises:
            UserError: a file is missing, or lacks a column that is asked for.
        """
        found: dict[str, str] = {}
        for key, path in self._places.items():
            if path.is_file():
                self._check_columns(self.file_columns(path), path)
                found[key] = file_sha256(path)
            elif (path / "state.json").exists() or (path / "dataset_dict.json").exists():
                found[key] = folder_sha256(path, (".arrow", ".json"))
            else:
                self.check_folder(path)
                found[key] = folder_sha256(path, self.folder_files())
        return found

    def provenance(self) -> Provenance:
        """Say that a user brought it; a folder's name, never where it lies."""
        return Provenance("unknown", f"the user's own: {Path(self.data).name}")


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == [] or (not isinstance(cell, list | dict) and not as_text(cell))
