"""Download the models and data sets that a suite names on the Hub, and record their commits."""

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
    """Download what is not in the Hub cache if the suite sets `online = true`; otherwise do nothing.

    Raises:
        SuiteError: a download failed; one line for each.
    """
    mistakes = []
    for key_path, remote in remotes(suite, catalog) if suite.online else ():
        try:
            _download_if_missing(remote, say)
        except UserError as error:
            mistakes += [f"{suite.source}: {key_path}: {mistake}" for mistake in error.mistakes]
    if mistakes:
        raise SuiteError(*mistakes)


def _download_if_missing(remote: Remote, say: Callable[[str], None]) -> None:
    try:
        remote.snapshot()
    except NotCached:
        snapshot = download(remote, say)
        missing = remote.lacks(snapshot.folder)
        if missing:
            raise UserError(f"{remote.repository()} was downloaded without {missing}") from None


def remotes(suite: Suite, catalog: Catalog) -> Iterator[tuple[str, Remote]]:
    """Yield every part of a suite that is on the Hub, including nested plugins, with its key.

    Parts that cannot be built are left out.
    """
    for key, kind in (("backbone", "backbones"), ("task", "tasks"), ("strategy", "strategies")):
        for number, choice in enumerate(getattr(suite, kind), 1):
            try:
                built = catalog.build(kind, choice.use, choice.options)
            except UserError:
                continue  # planning reports the mistake
            found = [
                (f"{key}[{number}]", built),
                *((f"{key}[{number}].{key_path}", inner) for key_path, inner in nested(built)),
            ]
            yield from ((key_path, part) for key_path, part in found if isinstance(part, Remote) and _is_on_hub(part))


def _is_on_hub(part: Remote) -> bool:
    try:
        return part.repository() is not None
    except UserError:
        return False


def pins(suite: Suite, catalog: Catalog) -> list[dict[str, Any]]:
    """Return commit and file hashes of every part that is on the Hub, for `suite.lock.toml`."""
    found = []
    for key_path, remote in remotes(suite, catalog):
        repository = remote.repository()
        assert repository is not None
        entry = {"place": key_path, "kind": repository.kind, "name": repository.name, "revision": repository.revision}
        found.append(entry | dict(remote.fingerprint()))
    return found


def download(remote: Remote, say: Callable[[str], None] = lambda _: None) -> Snapshot:
    """Download the required files of a repository into the local cache, at one commit.

    Args:
        remote: names the repository and chooses its files.
        say: receives progress messages.

    Raises:
        UserError: the repository or revision does not exist or is not accessible, there is no network, or a required
            file is missing.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    repository = remote.repository()
    assert repository is not None, "called only for options that name a repository"
    if constants.HF_HUB_OFFLINE:
        raise UserError(
            f"{repository} cannot be downloaded: HF_HUB_OFFLINE is set, although the suite sets online = true"
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
    except Exception as error:  # noqa: BLE001 - every failure is reported to the user, and the client raises many types
        raise UserError(f"{repository} cannot be downloaded: {_reason(error, repository)}") from None
    return Snapshot(folder, folder.name)


def _reason(error: Exception, repository: Repository) -> str:
    """Return one line on why a download failed and what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return f"accept its terms at {constants.ENDPOINT}/{repository.name}, then log in with `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return f"the Hub has no such {repository.kind}, or it is private; if it is private, log in with `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return "the Hub has no such revision"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[0]}; check the network connection"
