"""Base class of tasks on a user's own data: read rows and labels, and divide them into splits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Len

from ..api.splits import Example, Splits
from ..api.task import Provenance, Task
from ..errors import UserError
from ..fingerprint import digest, file_sha256, folder_sha256, is_remembered, remembered
from .hub_datasets import CARD, read_card
from .locations import given_splits, is_saved
from .rows import Rows
from .splitting import SPLITS, Division, divide, reduced
from .table_files import READERS, stored_splits
from .tables import CHUNK, as_text
from .user_files import UserFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .tables import Table

_READ = "places"
"""Kind of the notes on data that were read."""


@dataclass
class UserData(Task, UserFiles):
    """A task on a user's rows; plugins define which columns are the input and how they are encoded."""

    target: str = "label"
    """Column of the label."""
    group: str = ""
    """Column of groups whose rows must stay in one split, such as speakers, documents or patients."""
    ratios: Annotated[tuple[float, ...], Len(3, 3)] = (0.7, 0.15, 0.15)
    """Shares of training, validation and test, for data without splits."""
    stratify: bool = True
    """Whether every split has the classes in the same shares."""
    folds: Annotated[int, Ge(0)] = 0
    """Number of folds of a cross-validation; 0 divides by `ratios`."""
    fold: Annotated[int, Ge(0)] | None = None
    """Fold that is the test split, from 0; by default the first fold for the suite's first seed, the second for the
    second, and so on."""
    shots: Annotated[int, Ge(0)] = 0
    """Number of training examples to keep of each class; 0 keeps all."""
    limit: Annotated[float, Gt(0), Le(1)] = 1.0
    """Share of every split to keep; 0.01 for a quick test."""

    def __post_init__(self) -> None:
        """Check the options that do not depend on the data.

        Raises:
            UserError: splits, shares or the fold are invalid, or a Hub option is set for local data.
        """
        mistakes = self._location_mistakes()
        if any(share < 0 for share in self.ratios) or not self.ratios[0] or not self.ratios[2]:
            mistakes.append(f"ratios: training and test need a share above 0, got {list(self.ratios)}")
        if self.folds == 1 or (self.fold is not None and self.fold >= self.folds):
            mistakes.append(
                f"fold: there is no fold {self.fold or 0} of {self.folds}; there are at least 2 folds, numbered from 0"
            )
        if mistakes:
            raise UserError(*mistakes)

    # -- for plugins ---------------------------------------------------------------------------------------------------

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return options that name no data, for simulated training."""
        del classes
        return {"data": "none"}

    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the input columns."""

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Return the class of each row, by which splits are stratified, shape [rows]; -1 for rows without a label."""
        return np.array([-1 if _is_empty(cell) else 0 for cell in self.target_cells(table)], np.int64)

    def target_cells(self, table: Table) -> Iterator[Any]:
        """Yield the label cell of every row."""
        for begin in range(0, len(table), CHUNK):
            for row in table.rows(range(begin, min(begin + CHUNK, len(table))), [self.target]):
                yield row[self.target]

    # -- the tables ----------------------------------------------------------------------------------------------------

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The table of each split, or of `data` alone."""
        found: dict[str, Table] = {}
        for key, paths in self._places.items():
            if is_saved(paths[0]):
                stored = stored_splits(paths[0]) or {}
                own = (
                    given_splits(stored, self.split_names, self.name)
                    if key == "data"
                    else {key: next(iter(stored.values()))}
                )
                found |= own
            else:
                found[key] = self._open(paths)
        for key, table in found.items():
            self._check_columns(table.columns, self._places.get(key, self._places.get("data", ()))[0])
        return found

    def _open(self, paths: Sequence[Path]) -> Table:
        if paths[0].is_file():
            return self.open_files(paths)
        folder = self.open_folder(paths[0])
        if folder is None:
            raise UserError(f"data: {paths[0]}: is a folder without train and test files")
        return folder

    def check_folder(self, path: Path) -> None:
        """Check that a folder of examples is complete.

        Raises:
            UserError: a column is missing.
        """
        self._check_columns(self._open([path]).columns, path)

    def _check_columns(self, columns: Sequence[str], path: Path) -> None:
        wanted = [*self.inputs(), self.target, *([self.group] if self.group else [])]
        lost = [name for name in dict.fromkeys(wanted) if name not in columns]
        if not lost:
            return
        mistakes = [f"data: {path}: has no column {name!r}; its columns: {', '.join(columns)}" for name in lost]
        if len(lost) == len(set(wanted)) and path.is_file() and not self.columns:
            mistakes[-1] += "; if the first line is a row already, name the columns: columns = [...]"
        raise UserError(*mistakes)

    # -- splits --------------------------------------------------------------------------------------------------------

    def options_at(self, place: int) -> Mapping[str, Any]:
        """Return the options of the seed at index `place`: its own fold, unless `fold` is set."""
        return {"fold": place % self.folds} if self.folds and self.fold is None else {}

    def splits(self, seed: int) -> Splits[tuple[str, int]]:
        """Divide the rows into splits; rows without a label are left out."""
        train, validation, test = self.ratios
        ratios = (train, validation, test)
        division = Division(ratios, self.stratify, self.folds, self.fold or 0, self.shots, self.limit)
        if "data" in self.tables:
            table = self.tables["data"]
            classes = self.kinds(table)
            rows = np.flatnonzero(classes >= 0)
            groups = table.codes(self.group)[0][rows] if self.group else None
            divided = divide(division, classes[rows], groups, seed)
            return Splits(**{name: Rows("data", rows[divided[name]], classes[rows[divided[name]]]) for name in SPLITS})
        return self._given(division, seed)

    def _given(self, division: Division, seed: int) -> Splits[tuple[str, int]]:
        """Return the splits of the data; without a validation split it is taken from training.

        Raises:
            UserError: folds are set, or a split has no labels.
        """
        if division.folds:
            raise UserError(
                f"folds: {self.name} already has the splits {' and '.join(self.tables)}; folds need data without splits"
            )
        rng = np.random.default_rng(seed)
        classes = {key: self.kinds(table) for key, table in self.tables.items()}
        rows = {key: np.flatnonzero(found >= 0) for key, found in classes.items()}
        for key, held in rows.items():
            if not len(held):
                other = next(
                    (name for name in ("validation", "train") if name != key and name in rows and len(rows[name])),
                    "validation",
                )
                raise UserError(
                    f"data: {self.name}: no row of its {key} split has a label; "
                    f'use another: split_names = {{ {key} = "{other}" }}'
                )
        keys = dict.fromkeys(SPLITS, "train") | {key: key for key in rows}
        if "validation" not in rows:
            groups = self.tables["train"].codes(self.group)[0][rows["train"]] if self.group else None
            shares = (division.ratios[0], division.ratios[1], 0.0)
            parts = divide(Division(shares, division.stratify), classes["train"][rows["train"]], groups, seed)
            rows |= {"validation": rows["train"][parts["validation"]], "train": rows["train"][parts["train"]]}
        found = {}
        for name in SPLITS:
            own = classes[keys[name]]
            kept = reduced(
                division if name == "train" else Division(limit=division.limit), {"train": rows[name]}, own, rng
            )["train"]
            found[name] = Rows(keys[name], kept, own[kept])
        return Splits(**found)

    def cells(
        self, examples: Sequence[Example[tuple[str, int]]], columns: tuple[str, ...] = ()
    ) -> list[dict[str, Any]]:
        """Return the cells of some examples, in their order: the input columns and `columns`."""
        found: list[dict[str, Any]] = [{}] * len(examples)
        by_table: dict[str, list[int]] = {}
        for place, example in enumerate(examples):
            by_table.setdefault(example.value[0], []).append(place)
        for key, places in by_table.items():
            rows = self.tables[key].rows([examples[place].value[1] for place in places], (*self.inputs(), *columns))
            for place, row in zip(places, rows, strict=True):
                found[place] = self._with_paths(key, row) if self.folder_files() else row
        return found

    def _with_paths(self, key: str, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row in which paths that start at the folder of their own table are absolute.

        The tables of splits may be in folders of their own, each with files of the same names.
        """
        folders = {path.parent for path in self._places.get(key, ())}
        if len(folders) != 1 or (home := folders.pop()) == self._base:
            return row
        found = dict(row)
        for name in self.inputs():
            inside = home / getattr(self, "folder", "") / as_text(row[name]) if isinstance(row[name], str) else home
            if inside.is_file():
                found[name] = str(inside.absolute())
        return found

    def named(self, ids: Sequence[str]) -> list[Example[tuple[str, int]]]:
        """Return the examples with these ids, without their classes, to read their cells again for scoring."""
        places = (identity.rpartition("-") for identity in ids)
        return [Example(identity, (key, int(row)), 0) for identity, (key, _, row) in zip(ids, places, strict=True)]

    def groups(self, ids: Sequence[str]) -> Sequence[int | None] | None:
        """Return the code of each example's group, so that group names are not stored; None without `group`."""
        if not self.group:
            return None
        codes = {key: table.codes(self.group)[0] for key, table in self.tables.items()}
        found = (int(codes[key][row]) for key, row in (example.value for example in self.named(ids)))
        return [None if code < 0 else code for code in found]

    # -- identity ------------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hashes of the files.

        Raises:
            UserError: a file is missing, or lacks a required column.
        """
        found: dict[str, str] = {"commit": self.snapshot().commit} if self._hub_name else {}
        for key, (first, *more) in self._places.items():
            if first.is_file():
                for path in (first, *more):
                    self._check_columns(self.file_columns(path), path)
                hashes = [file_sha256(path) for path in (first, *more)]
                found[key] = digest(hashes) if more else hashes[0]
            elif is_saved(first):
                found[key] = folder_sha256(first, (".arrow", ".json"))
            else:
                self.check_folder(first)
                found[key] = folder_sha256(first, self.folder_files())
        remembered(_READ, self._place(), lambda: True)
        return found

    def was_read(self) -> bool:
        """Return whether a run on this machine has read these data, without reading anything of them."""
        return is_remembered(_READ, self._place())

    def _place(self) -> str:
        given = [self.data] if isinstance(self.data, str) else self.data.values()
        return digest([self.data if self._hub_name else str(Path(name).expanduser().absolute()) for name in given])

    def reading(self) -> list[Any]:
        """Return what determines the label column, as JSON values: a cache key for what is computed from it."""
        return [
            self.fingerprint(),
            self.target,
            dict(self.split_names),
            self.config,
            list(astuple(self.form)),
            READERS,
            type(self).__qualname__,
        ]

    def provenance(self) -> Provenance:
        """Return the source: the Hub data set, or the names of local files without their folders."""
        if self._hub_name is None:
            names = [self.data] if isinstance(self.data, str) else self.data.values()
            return Provenance("unknown", f"the user's own: {', '.join(Path(name).name for name in names)}")
        snapshot = self.snapshot()
        licence = read_card(snapshot.folder / CARD).get("license") or "unknown"
        of = f", configuration {self.config}" if self.config else ""
        return Provenance(
            ", ".join(licence) if isinstance(licence, list) else str(licence),
            f"hub: {self._hub_name}{of}, commit {snapshot.commit[:12]}",
        )


def _is_empty(cell: Any) -> bool:
    return cell is None or cell == [] or (not isinstance(cell, list | dict) and not as_text(cell))
