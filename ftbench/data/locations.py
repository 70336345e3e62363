"""Where a user's data lie: files, patterns of files, folders; and which of them is training, validation and test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import UserError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

Held = TypeVar("Held")

GIVEN = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""Split → what its file or folder may be called."""

Places = dict[str, tuple[Path, ...]]
"""`data` alone, or splits → files that are one table, or one folder."""


def local_places(data: str | Mapping[str, str], names: Mapping[str, str]) -> Places:
    """Find files or folders on this machine.

    Args:
        data: a file, a pattern of files such as `data/*.csv`, a folder, or such a file or pattern for each split.
        names: split → what the data call it, where that is not its usual name.

    Raises:
        UserError: nothing is there, or a split is missing.
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
        entry.stem.lower() if entry.is_file() else entry.name.lower(): (entry,) for entry in sorted(path.iterdir())
    }
    given = choose_splits(entries, names, str(path))
    if not given:
        return {"data": (path,)}
    lost = [split for split in ("train", "test") if split not in given]
    if lost:
        raise UserError(f"data: {path}: has {', '.join(sorted(given))} and no {lost[0]}")
    return given


def is_saved(folder: Path) -> bool:
    """Tell whether `datasets` wrote a folder with `save_to_disk`."""
    return (folder / "state.json").exists() or (folder / "dataset_dict.json").exists()


def _matching(place: str) -> tuple[Path, ...]:
    """Find the files a path or pattern stands for, in the order of their names."""
    path = Path(place).expanduser()
    if path.exists():
        return (path,)
    names = sorted(glob(str(path), recursive=True)) if has_magic(place) else []  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = [Path(name) for name in names if Path(name).is_file()]
    if not found:
        raise UserError(f"data: {place}: {'no file matches' if has_magic(place) else 'no such file or folder'}")
    kinds = sorted({path.suffix.lower() for path in found})
    if len(kinds) > 1:
        raise UserError(f"data: {place}: matches files of different kinds: {', '.join(kinds)}; write out which")
    return tuple(found)


def choose_splits(held: Mapping[str, Held], names: Mapping[str, str], place: str) -> dict[str, Held]:
    """Choose what serves as training, validation and test: what `names` says, else what is called so.

    Raises:
        UserError: `names` names what is not there.
    """
    found = {}
    for split, usual in GIVEN.items():
        if split in names and names[split] not in held:
            raise UserError(
                f"split_names.{split}: {place} has no split {names[split]!r}{suggestion(names[split], held)}"
            )
        others = {name for other, name in names.items() if other != split}
        name = names.get(split) or next((name for name in usual if name in held and name not in others), None)
        if name is not None:
            found[split] = held[name]
    return found


def given_splits(held: Mapping[str, Held], names: Mapping[str, str], place: str) -> dict[str, Held]:
    """Choose the splits of a data set that comes divided; one split alone, whatever it is called, is data still to be divided.

    Raises:
        UserError: there are several splits, and no training or no test split among them.
    """
    found = choose_splits(held, names, place)
    if "train" in found and "test" in found:
        return found
    if len(held) > 1:
        lost = "test" if "train" in found else "train"
        hint = f'say which one serves: split_names = {{ {lost} = "{next(name for name in reversed(list(held)) if name != "train")}" }}'
        raise UserError(f"data: {place}: has the splits {', '.join(held)}, and none called {lost}; {hint}")
    return {"data": next(iter(held.values()))}


def common_folder(paths: Iterable[Path]) -> Path:
    """Find the folder all files and folders lie in: a folder itself, where there is one alone."""
    return Path(os.path.commonpath([str(path if path.is_dir() else path.parent) for path in paths] or ["."]))
