"""The Hugging Face hub: repositories looked up in the local cache, and downloaded where a suite says `online = true`.

Nothing here touches the network but `download`, which only the runner calls, before the first trial.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import NotCached, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_ID = re.compile(rf"{_PART}(/{_PART})?")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
INSTEAD = {"model": "a directory", "dataset": "a file or a folder"}
"""Kind of a repository → what may be given in its place."""


@dataclass(frozen=True)
class Repository:
    """A repository of the hub at a revision."""

    kind: Literal["model", "dataset"]
    name: str
    """`owner/name`, or `name` alone for the oldest."""
    revision: str = "main"
    """A branch, a tag or a commit."""

    def __post_init__(self) -> None:
        """Refuse what would lead out of the cache.

        Raises:
            UserError: the name or the revision is none.
        """
        if not _ID.fullmatch(self.name) or ".." in self.name:
            raise UserError(f"{self.name!r} is no hub id: it must be 'owner/name'")
        if not _REVISION.fullmatch(self.revision) or ".." in self.revision:
            raise UserError(f"revision: {self.revision!r} is no branch, tag or commit")

    def __str__(self) -> str:
        return repr(self.name) + ("" if self.revision == "main" else f" at revision {self.revision!r}")


@dataclass(frozen=True)
class Snapshot:
    """A repository in the cache."""

    folder: Path
    commit: str
    """The commit's hash."""


def is_hub_id(name: str) -> bool:
    """Return whether a name could be a repository's: `name` or `owner/name`."""
    return bool(_ID.fullmatch(name)) and ".." not in name


class Remote(ABC):
    """A backbone or a task that may come from the Hub, according to its options. It has an option `revision`."""

    @abstractmethod
    def repository(self) -> Repository | None:
        """Name the repository; None where the options name local files."""

    @abstractmethod
    def wanted(self, names: Sequence[str], read: Callable[[str], Path]) -> Sequence[str]:
        """Choose the files that are needed.

        Args:
            names: all files of the repository.
            read: fetches one of them, for what can only be known from its content.

        Raises:
            UserError: what is needed is not among them.
        """

    @abstractmethod
    def lacks(self, folder: Path) -> str:
        """Return which required file a snapshot lacks, such as `weights`; empty if it is complete."""

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Return what decides its content: hashes of files and, for the Hub, the commit."""

    def snapshot(self) -> Snapshot:
        """Find the files in the local cache.

        Raises:
            NotCached: they are not there, or not all of them.
        """
        repository, found = self.repository(), self.held()
        assert repository is not None, "asked only where the options name a repository"
        lost = self.lacks(found.folder)
        if lost:
            raise NotCached(f"{repository} is in the hub cache only in part, without {lost}", INSTEAD[repository.kind])
        return found

    def held(self) -> Snapshot:
        """Find in the local cache what there is of the files, all or not.

        Raises:
            NotCached: nothing is there.
        """
        repository = self.repository()
        assert repository is not None, "asked only where the options name a repository"
        found = find(repository)
        if found is None:
            raise NotCached(f"{repository} is not in the hub cache", INSTEAD[repository.kind])
        return found

    def pinned(self) -> Mapping[str, Any]:
        """Return the options that pin the commit; none if the files are local or not downloaded yet."""
        repository = self.repository()
        found = find(repository) if repository else None
        return {"revision": found.commit} if found else {}


def find(repository: Repository) -> Snapshot | None:
    """Return a repository from the local cache; None if it is absent.

    The layout is the documented one: `models--owner--name/refs/<revision>` has the commit,
    `snapshots/<commit>` the files.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / "--".join([f"{repository.kind}s", *repository.name.split("/")])
    note = folder / "refs" / repository.revision
    commit = note.read_text(encoding="utf-8").strip() if note.is_file() else repository.revision
    if not (folder / "snapshots" / commit).is_dir() and repository.revision == "main":
        # Libraries that ask for a commit leave no note of the branch.
        held = list((folder / "snapshots").glob("*"))
        commit = held[0].name if len(held) == 1 else commit
    place = folder / "snapshots" / commit
    return Snapshot(place, commit) if commit and place.is_dir() else None
