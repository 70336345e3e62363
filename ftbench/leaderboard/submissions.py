"""A folder of submitted bundles: read all of them for a leaderboard, and add a run."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import RunError
from ..records.bundle import pack
from .duplicates import shared_trials
from .entry import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..api.catalog import Catalog
    from .entry import Entry


@contextmanager
def gathered(places: Sequence[Path], catalog: Catalog | None = None) -> Iterator[list[Entry]]:
    """Read runs as entries, one after the other; bundles packed from run directories are temporary.

    Args:
        places: run directories, bundles, and folders of bundles, searched recursively.
        catalog: knows the families of strategies.

    Raises:
        RunError: there is no run, or one cannot be published; a line for each fault.
    """
    with ExitStack() as stack:
        entries: list[Entry] = []
        faults: list[str] = []
        for place in _runs(places):
            try:
                entries.append(_read(place, stack, catalog))
            except RunError as error:
                faults += error.mistakes
        if faults:
            raise RunError(*faults)
        yield entries


def _read(run: Path, stack: ExitStack, catalog: Catalog | None = None) -> Entry:
    """Read a bundle, or a run directory packed into one, which `stack` removes; a refused one is removed at once."""
    if not run.is_dir():
        return read_entry(run, run, catalog)
    with ExitStack() as own:
        bundle = Path(own.enter_context(TemporaryDirectory(prefix="ftbench-"))) / "run.zip"
        try:
            pack(run, bundle)
        except OSError as error:
            raise RunError(f"{run}: cannot be read: {error.strerror}") from None
        entry = read_entry(bundle, run, catalog)
        stack.push(own.pop_all())
        return entry


def _runs(places: Sequence[Path]) -> list[Path]:
    """List the run directories and bundles, without duplicates."""
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir() and not (place / "trials").is_dir():
            inside = bundles_in(place)
            if not inside:
                raise RunError(f"{place}: has no bundle; `ftbench leaderboard add` adds one")
            found.update(dict.fromkeys(inside))
        elif place.exists():
            found[place] = None
        else:
            raise RunError(f"{place}: no such run directory, bundle, or folder of bundles")
    return list(found)


def bundles_in(folder: Path) -> list[Path]:
    """List the bundles in a folder, recursively; links are not followed."""
    return sorted(path for path in folder.rglob("*.zip") if path.is_file() and not path.is_symlink())


def add(run: Path, results: Path) -> Path:
    """Copy a run's bundle into a folder of results, under a name derived from its content; return the new file.

    Raises:
        RunError: the run cannot be published, was added before, or shares trials with an earlier one.
    """
    with gathered([run]) as found, ExitStack() as stack:
        if len(found) > 1:
            raise RunError(f"{run}: has {len(found)} bundles; add them one by one")
        (entry,) = found
        try:
            results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{results}: cannot be written: {error.strerror}") from None
        there = [_read(bundle, stack) for bundle in bundles_in(results) if bundle.resolve() != entry.bundle.resolve()]
        same = next((other for other in there if other.sha256 == entry.sha256), None)
        path = results / f"{entry.name}.zip"
        if same is not None or path.exists():
            raise RunError(f"{run}: was already added, as {same.source if same else path}")
        faults = shared_trials([*there, entry])
        if faults:
            raise RunError(*faults)
        try:
            shutil.copyfile(entry.bundle, path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error.strerror}") from None
        return path
