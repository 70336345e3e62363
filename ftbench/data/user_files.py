"""Locate and open a user's data files: local files and folders, or a data set on the Hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.hub import Remote, Repository
from ..errors import UserError
from ..fingerprint import files_below
from .hub_datasets import CARD, features, missing_part, read_card, split_files
from .locations import Places, common_folder, given_splits, is_saved, local_places
from .reading.text_files import TextFormat
from .splitting import SPLITS
from .table_files import SUFFIXES, read_table, row_lines, table_columns
from .tables import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .tables import Table

HUB = "hub:"
"""Prefix of the name of a data set on the Hub."""


@dataclass
class UserFiles(Remote):
    """Data files that the options of a task name; `UserData` reads their rows."""

    data: str | Mapping[str, str]
    """Data location: a file (CSV, TSV, JSON, JSON lines, Parquet, Excel; the text files also compressed); a pattern
    such as `parts/*.csv`; a folder with one file or folder for each split (`train`, `test` and optionally
    `validation`); a file or pattern for each split, as in `{ train = "a.csv", test = "b.csv" }`; a folder written by
    `save_to_disk`; or a data set on the Hub, `hub:owner/name`."""
    config: str = ""
    """Configuration of a Hub data set, such as `sst2` of GLUE."""
    revision: str = "main"
    """Branch, tag or commit of a Hub data set."""
    split_names: Mapping[str, str] = field(default_factory=dict)
    """Names of splits in the data that are not the usual ones: `{ test = "validation" }`."""
    quoted: bool | None = None
    """Whether cells of a CSV or TSV file may be in double quotes; by default recognised from the whole file."""
    delimiter: str = ""
    """Character between the cells of a CSV or TSV file, or of one with another suffix; by default recognised."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a file whose first line is a row already."""
    encoding: str = ""
    """Encoding of text files, such as `cp1252`; by default the Unicode encoding that their first bytes show."""
    sheet: str = ""
    """Name of the sheet of an Excel workbook; by default the only visible one with cells."""

    def _location_mistakes(self) -> list[str]:
        """Check the options that name the data, without opening it."""
        mistakes = []
        for option in (self.data if isinstance(self.data, Mapping) else {}, self.split_names):
            mistakes += [
                f"there is no split {name!r}; splits are {', '.join(SPLITS)}" for name in option if name not in SPLITS
            ]
        if isinstance(self.data, Mapping) and not {"train", "test"} <= {*self.data}:
            mistakes.append(f"data: train and test are needed, got {', '.join(self.data) or 'neither'}")
        if self._hub_name is None and (self.config or self.revision != "main"):
            mistakes.append(
                f"{'config' if self.config else 'revision'}: applies only to Hub data sets, such as 'hub:nyu-mll/glue'"
            )
        if len(self.delimiter) > 1:
            mistakes.append(f"delimiter: must be one character, not {self.delimiter!r}")
        return mistakes

    @property
    def form(self) -> TextFormat:
        """How text files are written, if it is given."""
        return TextFormat(self.quoted, self.delimiter, self.columns, self.encoding, self.sheet)

    def open_files(self, paths: Sequence[Path]) -> Table:
        """Open table files as one table."""
        declared = features(read_card(self.snapshot().folder / CARD), self.config) if self._hub_name else None
        return read_table(*paths, features=declared, form=self.form)

    def file_columns(self, path: Path) -> tuple[str, ...]:
        """Return the column names of a table file without reading its rows."""
        return table_columns(path, self.form)

    def row_lines(self, path: Path) -> Iterator[int] | None:
        """Yield the line where each row of a table file begins, from 1; None if its rows have no lines."""
        return row_lines(path, self.form)

    def files(self, key: str) -> tuple[Path, ...]:
        """Return the files of a table; none if they are not tables themselves."""
        return tuple(path for path in self._places.get(key, ()) if path.is_file())

    def open_folder(self, folder: Path) -> Table | None:
        """Open a folder whose files are the examples; None if the modality has no such folders."""
        del folder
        return None

    def folder_files(self) -> tuple[str, ...]:
        """Return the suffixes of the files that are examples in such a folder."""
        return ()

    def read_paths(self) -> list[Path]:
        """Return the files and folders that are read."""
        return [path for paths in self._places.values() for path in paths]

    def example_folders(self) -> list[Path]:
        """Return the local folders whose files are the examples."""
        folders = [path for path in self.read_paths() if path.is_dir() and not is_saved(path)]
        return [] if self._hub_name else folders

    def is_within(self, folder: Path) -> bool:
        """Return whether local data are below a folder, with links followed; data of the Hub are in its cache."""
        given = [self.data] if isinstance(self.data, str) else list(self.data.values())
        if self._hub_name:
            return True
        # Patterns are matched only below what they begin with.
        begins = (Path(re.split(r"[*?\[]", place, maxsplit=1)[0]).expanduser().resolve() for place in given)
        whole = (folder.resolve() in (begin, *begin.parents) for begin in begins)
        return all(whole) and not any(".." in Path(place).parts for place in given)

    def splits_folder(self) -> Path | None:
        """Return the local folder that has a file or folder for each split; None if there is none."""
        if self._hub_name or not isinstance(self.data, str) or "data" in self._places:
            return None
        return Path(self.data).expanduser()

    # -- the Hub -------------------------------------------------------------------------------------------------------

    @property
    def _hub_name(self) -> str | None:
        return self.data.removeprefix(HUB) if isinstance(self.data, str) and self.data.startswith(HUB) else None

    def repository(self) -> Repository | None:
        """Return the Hub repository, or None if the data are local.

        Raises:
            UserError: the name or the revision is not valid.
        """
        return None if self._hub_name is None else Repository("dataset", self._hub_name, self.revision)

    def wanted(self, names: Sequence[str], read: Callable[[str], Path]) -> Sequence[str]:
        """Choose the files to download: the dataset card and the tables of the configuration, or else images or sounds.

        Raises:
            UserError: the configuration does not exist, or has no readable files.
        """
        card = read_card(read(CARD)) if CARD in names else {}
        files = [name for found in split_files(card, names, self.config).values() for name in found]
        files = files or [name for name in names if name.lower().endswith(self.folder_files() or "\0")]
        if not files:
            raise UserError(
                f"has no files that end in {', '.join(SUFFIXES)}; "
                'the Hub has Parquet copies of many data sets: revision = "refs/convert/parquet"'
            )
        return [*([CARD] if CARD in names else []), *files]

    def lacks(self, folder: Path) -> str:
        """Describe the files that are missing from a snapshot; empty if it is complete."""
        splits = self._hub_splits(folder)
        if splits:
            return missing_part(splits)
        return "" if any(path.suffix.lower() in self.folder_files() for path in files_below(folder)[0]) else "its files"

    def _hub_splits(self, folder: Path) -> dict[str, list[str]]:
        names = [str(path.relative_to(folder)) for path in files_below(folder)[0]]
        return split_files(read_card(folder / CARD), names, self.config)

    # -- local files ---------------------------------------------------------------------------------------------------

    @cached_property
    def _places(self) -> Places:
        """The files or folders of each split, or of `data` alone."""
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
        """Name of the data in messages."""
        return self.data if isinstance(self.data, str) else ", ".join(self.data.values())

    def located(self, cell: Any, folder: str = "") -> tuple[bytes | Path, str]:
        """Return the file that a cell refers to: its bytes or path, and its name for messages.

        Relative paths start at the folder of the data, or at its subfolder `folder`.
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
        """The folder where relative paths in tables start."""
        if isinstance(self.data, str) and Path(self.data).expanduser().is_dir():
            return Path(self.data).expanduser()
        return common_folder(path for paths in self._places.values() for path in paths)
