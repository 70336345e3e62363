"""Find the files of a user's folders that are not read, so that none is left out silently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..fingerprint import files_below
from ..records.data_check import Flaw
from .locations import is_saved
from .table_files import is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .user_data import UserData

SHOWN = 3
"""Number of files named."""
DOCUMENTS = (
    *("", ".txt", ".md", ".rst", ".html", ".pdf", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml"),
    *(".ini", ".py", ".ipynb", ".log", ".db", ".zip", ".gz", ".tar", ".md5", ".sha256"),
)
"""Suffixes of files that usually are no examples."""


def unread_flaws(task: UserData) -> list[Flaw]:
    """Return the files in the folders of local data that are not read, as flaws: those that may be examples first."""
    files, links = _unread(task)
    hidden = [name for name in files if is_hidden(Path(name))]
    visible = [name for name in files if not is_hidden(Path(name))]
    documents = [name for name in visible if Path(name).suffix.lower() in DOCUMENTS]
    others = [name for name in visible if Path(name).suffix.lower() not in DOCUMENTS]
    listed = ", ".join(sorted({Path(name).suffix.lower() for name in others})[:SHOWN])
    readable = ", ".join(task.folder_files()[:SHOWN])
    convert = f"convert {listed} to one of {readable}, or remove them"
    follow = "replace them with what they point to; a folder that several links point to is read once"
    found = (
        ("warning", "file not read", others, convert if readable else "name them in data, or remove them"),
        ("warning", "link not followed", links, follow),
        ("note", "document not read", documents, "nothing to do, unless it is a table of the files: name it in data"),
        ("note", "hidden file not read", hidden, "nothing to do, unless it is an example: rename it"),
    )
    return [
        Flaw(severity, kind, len(names), tuple(names[:SHOWN]), advice)  # type: ignore[arg-type]  # as listed above
        for severity, kind, names, advice in found
        if names
    ]


def _unread(task: UserData) -> tuple[list[str], list[str]]:
    """Return the names of the files, and of the links, that are not read."""
    files: list[str] = []
    links: list[str] = []
    for folder in task.example_folders():
        inside, others = files_below(folder)
        read = task.folder_files()
        names = [str(path.relative_to(folder)) for path in inside]
        files += [name for name in names if Path(name).suffix.lower() not in read or is_hidden(Path(name))]
        links += [str(path.relative_to(folder)) for path in others]
    return [*_beside_splits(task), *files], links


def _beside_splits(task: UserData) -> Iterator[str]:
    """Yield the entries of a folder of splits that are no split."""
    folder = task.splits_folder()
    if folder is None or is_saved(folder):
        return
    read = {path.absolute() for path in task.read_paths()}
    yield from (entry.name for entry in sorted(folder.iterdir()) if entry.absolute() not in read)
