"""Download what a suite names on the hub, before anything else happens; and say what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..api.catalog import nested
from ..api.hub import Remote, download
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
            found = [(f"{key}[{number}]", built), *((f"{key}[{number}].{place}", inner) for place, inner in nested(built))]
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
