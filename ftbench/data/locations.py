"""Find a user's data files and folders, and choose which are training, validation and test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import UserError, suggestion
from .reading.text_files import bare_name, content_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable

Found = TypeVar("Found")

USUAL_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Split → usual names of its file or folder."""

Places = dict[str, tuple[Path, ...]]
"""`data` alone, or splits → the files of one table, or one folder."""


def local_places(data: str | Mapping[str, str], names: Mapping[str, str]) -> Places:
    """Find local files or folders.

    Args:
        data: a file, a pattern of files such as `data/*.csv`, a folder, or such a file or pattern for each split.
        names: split → its name in the data, if that is not a usual one.

    Raises:
        UserError: the file or folder does not exist, or a split is missing.
    """
    if isinstance(data, Mapping):
        return {split: _matching(place) for split, place in data.items()}
    path = Path(data).expanduser()
    if not path.exists() and has_magic(data):
        return {"data": _matching(data)}
    if not path.exists():
        raise UserError(f"data: {path}: no such file or folder")
    if path.is_file() or is_saved(path):
        return {"data": (path,)}
    entries: Places = {
        Path(bare_name(entry.name)).stem.lower() if entry.is_file() else entry.name.lower(): (entry,)
        for entry in sorted(path.iterdir())
    }
    given = choose_splits(entries, names, str(path))
    if not given:
        return {"data": (path,)}
    lost = [split for split in ("train", "test") if split not in given]
    if lost:
        raise UserError(f"data: {path}: has {', '.join(sorted(given))} but no {lost[0]}")
    return given


def is_saved(folder: Path) -> bool:
    """Return whether a folder was written by `save_to_disk` of `datasets`."""
    return (folder / "state.json").exists() or (folder / "dataset_dict.json").exists()


def _matching(place: str) -> tuple[Path, ...]:
    """Return the files that a path or pattern matches, sorted by name."""
    path = Path(place).expanduser()
    if path.exists():
        return (path,)
    names = glob(str(path), recursive=True) if has_magic(place) else []  # noqa: PTH207 - not for absolute paths
    found = [Path(name) for name in sorted(names) if Path(name).is_file()]
    if not found:
        raise UserError(f"data: {place}: {'no file matches' if has_magic(place) else 'no such file or folder'}")
    kinds = sorted({content_suffix(path) for path in found})
    if len(kinds) > 1:
        raise UserError(f"data: {place}: matches files of different kinds: {', '.join(kinds)}; use a narrower pattern")
    return tuple(found)


def choose_splits(available: Mapping[str, Found], names: Mapping[str, str], place: str) -> dict[str, Found]:
    """Choose training, validation and test: by `names`, otherwise by the usual names.

    Raises:
        UserError: a split in `names` does not exist.
    """
    found = {}
    for split, usual in USUAL_NAMES.items():
        if split in names and names[split] not in available:
            raise UserError(
                f"split_names.{split}: {place} has no split {names[split]!r}{suggestion(names[split], available)}"
            )
        others = {name for other, name in names.items() if other != split}
        name = names.get(split) or next((name for name in usual if name in available and name not in others), None)
        if name is not None:
            found[split] = available[name]
    return found


def given_splits(available: Mapping[str, Found], names: Mapping[str, str], place: str) -> dict[str, Found]:
    """Choose the splits of a data set that has splits; a single split, whatever its name, is divided later.

    Raises:
        UserError: there are several splits, but no training or no test split.
    """
    found = choose_splits(available, names, place)
    if "train" in found and "test" in found:
        return found
    if len(available) > 1:
        lost = "test" if "train" in found else "train"
        other = next(name for name in reversed(list(available)) if name != "train")
        hint = f'choose one: split_names = {{ {lost} = "{other}" }}'
        raise UserError(f"data: {place}: has the splits {', '.join(available)}, but none called {lost}; {hint}")
    return {"data": next(iter(available.values()))}


def common_folder(paths: Iterable[Path]) -> Path:
    """Return the common parent folder of files and folders; for a single folder, the folder itself."""
    return Path(os.path.commonpath([str(path if path.is_dir() else path.parent) for path in paths] or ["."]))
