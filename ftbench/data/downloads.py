"""Download what a suite names on the hub, before anything else happens; and say what it was."""

from __future__ import annotations

import sys
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.catalog import nested
from ..api.hub import Remote, Repository, Snapshot
from ..errors import NotCached, SuiteError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..api.catalog import Catalog
    from ..suite.suite import Suite


def fetch(suite: Suite, catalog: Catalog, say: Callable[[str], None] = lambda _: None) -> None:
    """Download what is not in the hub cache, where the suite says `online = true`; else do nothing.

    Raises:
        SuiteError: something cannot be downloaded; a line for each.
    """
    mistakes = []
    for place, remote in remotes(suite, catalog) if suite.online else ():
        try:
            _provide(remote, say)
        except UserError as error:
            mistakes += [f"{suite.source}: {place}: {mistake}" for mistake in error.mistakes]
    if mistakes:
        raise SuiteError(*mistakes)


def _provide(remote: Remote, say: Callable[[str], None]) -> None:
    try:
        remote.snapshot()
    except NotCached:
        snapshot = download(remote, say)
        lost = remote.lacks(snapshot.folder)
        if lost:
            raise UserError(f"{remote.repository()} was downloaded without {lost}") from None


def remotes(suite: Suite, catalog: Catalog) -> Iterator[tuple[str, Remote]]:
    """Yield whatever of a suite lies on the hub, nested plugins included, with its place; what cannot be built is left out."""
    for key, kind in (("backbone", "backbones"), ("task", "tasks"), ("strategy", "strategies")):
        for number, choice in enumerate(getattr(suite, kind), 1):
            try:
                built = catalog.build(kind, choice.use, choice.options)
            except UserError:
                continue  # planning tells what is wrong with it
            found = [
                (f"{key}[{number}]", built),
                *((f"{key}[{number}].{place}", inner) for place, inner in nested(built)),
            ]
            yield from ((place, part) for place, part in found if isinstance(part, Remote) and _lies_there(part))


def _lies_there(part: Remote) -> bool:
    try:
        return part.repository() is not None
    except UserError:
        return False


def pins(suite: Suite, catalog: Catalog) -> list[dict[str, Any]]:
    """Name the commit of whatever lies on the hub, and the hashes of its files, for the lock."""
    found = []
    for place, remote in remotes(suite, catalog):
        repository = remote.repository()
        assert repository is not None
        entry = {"place": place, "kind": repository.kind, "name": repository.name, "revision": repository.revision}
        found.append(entry | dict(remote.fingerprint()))
    return found


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
        raise UserError(
            f"{repository} cannot be downloaded: HF_HUB_OFFLINE is set in the environment, against the suite's online = true"
        )
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
        return (
            f"its terms are to be accepted at {constants.ENDPOINT}/{repository.name}; then log in with `hf auth login`"
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"the hub has no such {repository.kind}, or it is private: then log in with `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return "the hub has no such revision of it"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0]}; is the network there?"
