"""What every task on a user's own data shares: where the rows lie, what they are labelled, how they are divided."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Len

from ..api.hub import Remote, Repository
from ..api.splits import Example, Splits
from ..api.task import Provenance, Task
from ..errors import UserError
from ..fingerprint import digest, file_sha256, folder_sha256
from .hub_datasets import CARD, features, missing_part, read_card, split_files
from .locations import Places, common_folder, given_splits, is_saved, local_places
from .rows import Rows
from .splitting import NAMES, Division, divide, thinned
from .table_files import SUFFIXES, read_table, stored_splits, table_columns
from .tables import CHUNK, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from .tables import Table

HUB = "hub:"
"""What the name of a data set on the hub begins with."""


@dataclass
class UserData(Task, Remote):
    """A task on rows a user brings; plugins say which cells are the input and how they are encoded."""

    data: str | Mapping[str, str]
    """The data: a file (CSV, TSV, JSON, JSON lines, Parquet); a pattern such as `parts/*.csv`; a folder with one file or folder for
    each split (`train`, `test` and perhaps `validation`); such a file or pattern for each split, as in
    `{ train = "a.csv", test = "b.csv" }`; a folder written by `save_to_disk`; or a data set of the hub, `hub:owner/name`."""
    config: str = ""
    """Configuration of a data set of the hub, such as `sst2` of GLUE."""
    revision: str = "main"
    """Branch, tag or commit of a data set of the hub."""
    split_names: Mapping[str, str] = field(default_factory=dict)
    """What the data call a split, where that is not its usual name: `{ test = "validation" }`."""
    quoted: bool = True
    """Whether a cell of a CSV or TSV file may stand in double quotes."""
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
    fold: Annotated[int, Ge(0)] | None = None
    """The fold that is the test split, from 0; by default the suite's first seed has the first, its second seed the second, …"""
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
        for option in (self.data if isinstance(self.data, Mapping) else {}, self.split_names):
            mistakes += [
                f"there is no split {name!r}; splits are {', '.join(NAMES)}" for name in option if name not in NAMES
            ]
        if isinstance(self.data, Mapping) and not {"train", "test"} <= {*self.data}:
            mistakes.append(f"data: train and test are needed, got {', '.join(self.data) or 'neither'}")
        if self._hub_name is None and (self.config or self.revision != "main"):
            mistakes.append(
                f"{'config' if self.config else 'revision'}: goes with data of the hub, such as 'hub:nyu-mll/glue'"
            )
        if any(share < 0 for share in self.ratios) or not self.ratios[0] or not self.ratios[2]:
            mistakes.append(f"ratios: training and test need a share above 0, got {list(self.ratios)}")
        if self.folds == 1 or (self.fold is not None and self.fold >= self.folds):
            mistakes.append(
                f"fold: there is no fold {self.fold or 0} of {self.folds}; folds are counted from 0, and are at least two"
            )
        if mistakes:
            raise UserError(*mistakes)

    # -- what a plugin says ------------------------------------------------------------------------------------------------

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Name no data."""
        del classes
        return {"data": "none"}

    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Name the columns that are the input."""

    def kinds(self, table: Table) -> NDArray[np.int64]:
        """Give what each row is divided by, counted from 0, shape [rows]; -1 where a row has no label and is left out."""
        return np.array([-1 if _is_empty(cell) else 0 for cell in self.target_cells(table)], np.int64)

    def target_cells(self, table: Table) -> Iterator[Any]:
        """Yield the cell of every row that holds what is to be answered."""
        for begin in range(0, len(table), CHUNK):
            for row in table.rows(range(begin, min(begin + CHUNK, len(table))), [self.target]):
                yield row[self.target]

    def open_files(self, paths: Sequence[Path]) -> Table:
        """Open files of rows as one table."""
        stated = features(read_card(self.snapshot().folder / CARD), self.config) if self._hub_name else None
        return read_table(*paths, features=stated, quoted=self.quoted)

    def file_columns(self, path: Path) -> tuple[str, ...]:
        """Name the columns of such a file, without reading its rows."""
        return table_columns(path, quoted=self.quoted)

    def open_folder(self, folder: Path) -> Table | None:
        """Open a folder whose files are the examples; None where the modality has no such folders."""
        del folder
        return None

    def folder_files(self) -> tuple[str, ...]:
        """Give the endings of the files that are examples in such a folder."""
        return ()

    # -- the hub -----------------------------------------------------------------------------------------------------------

    @property
    def _hub_name(self) -> str | None:
        return self.data.removeprefix(HUB) if isinstance(self.data, str) and self.data.startswith(HUB) else None

    def repository(self) -> Repository | None:
        """Name the repository; None where the data are local.

        Raises:
            UserError: the name or the revision is none.
        """
        return None if self._hub_name is None else Repository("dataset", self._hub_name, self.revision)

    def wanted(self, names: Sequence[str], read: Callable[[str], Path]) -> Sequence[str]:
        """Choose the card and the tables of the configuration; where there are no tables, the images or sounds.

        Raises:
            UserError: there is no such configuration, or nothing that can be read.
        """
        card = read_card(read(CARD)) if CARD in names else {}
        files = [name for found in split_files(card, names, self.config).values() for name in found]
        files = files or [name for name in names if name.lower().endswith(self.folder_files() or "\0")]
        if not files:
            raise UserError(
                f'has no files that end in {", ".join(SUFFIXES)}; the hub keeps many data sets as Parquet: revision = "refs/convert/parquet"'
            )
        return [*([CARD] if CARD in names else []), *files]

    def lacks(self, folder: Path) -> str:
        """Say which of the data's files are missing from a snapshot."""
        splits = self._hub_splits(folder)
        if splits:
            return missing_part(splits)
        return "" if any(path.suffix.lower() in self.folder_files() for path in folder.rglob("*")) else "its files"

    def _hub_splits(self, folder: Path) -> dict[str, list[str]]:
        names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        return split_files(read_card(folder / CARD), names, self.config)

    # -- the tables --------------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> Places:
        """Find the files or folders: `data` alone, or one place for each split that is given."""
        if self._hub_name is None:
            return local_places(self.data, self.split_names)
        folder = self.snapshot().folder
        splits = self._hub_splits(folder)
        if not splits:
            return local_places(str(folder), self.split_names)
        return given_splits(
            {split: tuple(folder / name for name in files) for split, files in splits.items()},
            self.split_names,
            self.name,
        )

    @property
    def name(self) -> str:
        """What messages call the data."""
        return self.data if isinstance(self.data, str) else ", ".join(self.data.values())

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Open the tables: `data` alone, or one for each split that is given."""
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
            raise UserError(f"data: {paths[0]}: is a folder without a train and a test file")
        return folder

    def check_folder(self, path: Path) -> None:
        """Refuse a folder of examples in which something is missing."""
        self._check_columns(self._open([path]).columns, path)

    def _check_columns(self, columns: Sequence[str], path: Path) -> None:
        wanted = [*self.inputs(), self.target, *([self.group] if self.group else [])]
        lost = [name for name in dict.fromkeys(wanted) if name not in columns]
        if lost:
            raise UserError(
                *(f"data: {path}: has no column {name!r}; its columns: {', '.join(columns)}" for name in lost)
            )

    # -- splits ----------------------------------------------------------------------------------------------------------------

    def options_at(self, place: int) -> Mapping[str, Any]:
        """Give each seed a fold of its own, where none is chosen."""
        return {"fold": place % self.folds} if self.folds and self.fold is None else {}

    def splits(self, seed: int) -> Splits[tuple[str, int]]:
        """Divide the rows that have a label; those without are left out."""
        division = Division(tuple(self.ratios), self.stratify, self.folds, self.fold or 0, self.shots, self.limit)  # type: ignore[arg-type]  # three, checked
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
        if division.folds:
            raise UserError(
                f"folds: {self.name} comes divided into {' and '.join(self.tables)}; folds are for data that do not"
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
                    f'data: {self.name}: no row of its {key} split has a label; take another: split_names = {{ {key} = "{other}" }}'
                )
        keys = dict.fromkeys(NAMES, "train") | {key: key for key in rows}
        if "validation" not in rows:
            groups = self.tables["train"].codes(self.group)[0][rows["train"]] if self.group else None
            shares = (division.ratios[0], division.ratios[1], 0.0)
            parts = divide(Division(shares, division.stratify), classes["train"][rows["train"]], groups, seed)
            rows |= {"validation": rows["train"][parts["validation"]], "train": rows["train"][parts["train"]]}
        found = {}
        for name in NAMES:
            own = classes[keys[name]]
            kept = thinned(
                division if name == "train" else Division(limit=division.limit), {"train": rows[name]}, own, rng
            )["train"]
            found[name] = Rows(keys[name], kept, own[kept])
        return Splits(**found)

    def cells(
        self, examples: Sequence[Example[tuple[str, int]]], columns: tuple[str, ...] = ()
    ) -> list[dict[str, Any]]:
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

    def groups(self, ids: Sequence[str]) -> Sequence[int | None] | None:
        """Give the place of each example's cell of `group` among all cells, so that no name is written down."""
        if not self.group:
            return None
        codes = {key: table.codes(self.group)[0] for key, table in self.tables.items()}
        found = (int(codes[key][row]) for key, row in (example.value for example in self.named(ids)))
        return [None if code < 0 else code for code in found]

    def located(self, cell: Any, folder: str = "") -> tuple[bytes | Path, str]:
        """Find a file a cell stands for: its bytes or its path, and what to call it.

        Paths are seen from where the data lie, or from `folder` there.
        """
        if isinstance(cell, dict):
            if cell.get("bytes") is not None:
                return cell["bytes"], str(cell.get("path") or "an embedded file")
            cell = cell.get("path")
        path = Path(as_text(cell))
        if not path.is_absolute():
            path = self._base / folder / path
        return path, str(path)

    @cached_property
    def _base(self) -> Path:
        """Find the folder that paths in tables are seen from."""
        if isinstance(self.data, str) and Path(self.data).expanduser().is_dir():
            return Path(self.data).expanduser()
        return common_folder(path for paths in self._places.values() for path in paths)

    # -- identity ------------------------------------------------------------------------------------------------------------

    def fingerprint(self) -> Mapping[str, Any]:
        """Give the hashes of the files.

        Raises:
            UserError: a file is missing, or lacks a column that is asked for.
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
        return found

    def reading(self) -> list[Any]:
        """Give what decides the cells of the target, as JSON values: what is found out of them is remembered by it."""
        return [
            self.fingerprint(),
            self.target,
            dict(self.split_names),
            self.config,
            self.quoted,
            type(self).__qualname__,
        ]

    def provenance(self) -> Provenance:
        """Say that a user brought it, or which data set of the hub it is; a folder's name, never where it lies."""
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
