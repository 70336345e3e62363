"""The Hugging Face hub: repositories looked up in the local cache, and downloaded where a suite says `online = true`.

Nothing here touches the network but `download`, which only the runner calls, before the first trial.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from glob import escape
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
    """A repository as it lies in the cache."""

    folder: Path
    commit: str
    """The commit's hash."""


def is_hub_id(name: str) -> bool:
    """Tell whether a name could be a repository's: `name` or `owner/name`."""
    return bool(_ID.fullmatch(name)) and ".." not in name


class Remote(ABC):
    """What may lie on the hub: a backbone or a task, by its options. It has an option `revision`."""

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
        """Say which needed file a snapshot does not hold, such as `weights`; empty where it holds all."""

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Give what decides its content: hashes of files and, where they lie on the hub, the commit."""

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
        """Give the options that name the very commit; none where the files are local, or not there yet."""
        repository = self.repository()
        found = find(repository) if repository else None
        return {"revision": found.commit} if found else {}


def find(repository: Repository) -> Snapshot | None:
    """Look a repository up in the local cache; None where it is not there.

    The layout is the documented one: `models--owner--name/refs/<revision>` holds the commit, `snapshots/<commit>` the files.
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


def download(remote: Remote, say: Callable[[str], None] = lambda _: None) -> Snapshot:
    """Download what is needed of a repository into the local cache, at one commit.

    Args:
        remote: names the repository, and chooses its files.
        say: is told what is downloaded.

    Raises:
        UserError: in one line: no such repository or revision, no right to it, no network, or no file that is needed.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    repository = remote.repository()
    assert repository is not None, "asked only where the options name a repository"
    if constants.HF_HUB_OFFLINE:
        raise UserError(f"{repository} cannot be downloaded: HF_HUB_OFFLINE is set in the environment, against the suite's online = true")
    if not sys.stderr.isatty():
        disable_progress_bars()
    where: dict[str, Any] = {"repo_type": repository.kind, "revision": repository.revision}
    try:
        names = [entry.rfilename for entry in HfApi().repo_info(repository.name, **where).siblings or ()]
        chosen = remote.wanted(names, lambda name: Path(hf_hub_download(repository.name, name, **where)))
        say(f"downloading {repository}: {len(chosen)} of {len(names)} files")
        folder = Path(snapshot_download(repository.name, allow_patterns=[escape(name) for name in chosen], **where))
    except UserError as error:
        raise UserError(*(f"{repository}: {mistake}" for mistake in error.mistakes)) from None
    except Exception as error:  # noqa: BLE001 - whatever ends a download is the user's to know, and the client has many words for it
        raise UserError(f"{repository} cannot be downloaded: {_reason(error, repository)}") from None
    return Snapshot(folder, folder.name)


def _reason(error: Exception, repository: Repository) -> str:
    """Say in one line why a download failed, and what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return f"its terms are to be accepted at {constants.ENDPOINT}/{repository.name}; then log in with `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub has no such {repository.kind}, or it is private: then log in with `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return "the hub has no such revision of it"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0]}; is the network there?"
