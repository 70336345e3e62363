"""Build a leaderboard as a folder for a static host (numbers, pages and bundles), and verify a published one."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..files import read_text
from ..fingerprint import read_sha256
from ..formatting import one_line
from .entry import read_entry
from .json_format import read_published, table_of, to_json
from .leaderboard import BUNDLES, bundle_path, leaderboard_of
from .reruns import RERUNS, read_reruns, reruns_json
from .site_report import SiteReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.report import Report
    from ..api.catalog import Catalog
    from .entry import Entry
    from .leaderboard import Leaderboard
    from .reruns import Rerun

INDEX = "leaderboard.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}", re.ASCII)
_HOST_FILES = {"CNAME": re.compile(rb"[A-Za-z0-9.-]*\n?"), ".nojekyll": re.compile(rb"\n?")}
"""Files of a host that a site may have, and what is in them."""
_MAX_BYTES = 256 * 2**20
_ROUNDING = 1e-9


def build(
    entries: Sequence[Entry],
    reports: Sequence[Report],
    site: Path,
    harness: str,
    drift: Sequence[str] = (),
    *,
    reruns: Mapping[str, Rerun] | None = None,
) -> Leaderboard:
    """Write the site of some runs; the same runs give the same bytes. A former site is replaced, other files are kept.

    Args:
        entries: the runs.
        reports: all reports; those that are a `SiteReport` write pages.
        site: the folder.
        harness: the version of ftbench.
        drift: software fields that may differ within a group.
        reruns: SHA-256 of a bundle → who trained some of its trials again, besides what the former site has.

    Raises:
        RunError: the folder contains something else, or cannot be written; or runs share trials.
    """
    if site.exists() and not site.is_dir():
        raise RunError(f"{site}: is a file; choose a folder")
    if site.is_dir() and any(site.iterdir()) and not (site / INDEX).exists():
        raise RunError(f"{site}: is neither empty nor a leaderboard; choose an empty or new folder")
    shas = {entry.sha256 for entry in entries}
    known = {sha256: one for sha256, one in {**read_reruns(site), **(reruns or {})}.items() if sha256 in shas}
    board = leaderboard_of(entries, harness, drift, known)
    fresh = site.with_name(f".{site.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        _write(board, reports, fresh)
        if known or (site / RERUNS).exists():
            (fresh / RERUNS).write_text(reruns_json(known), encoding="utf-8")
        (fresh / BUNDLES).mkdir()
        for entry in entries:
            shutil.copyfile(entry.bundle, fresh / bundle_path(entry.name))
        site.mkdir(exist_ok=True)
        for path in sorted(fresh.iterdir()):
            _replace(path, site / path.name)
    except OSError as error:
        raise RunError(f"{site}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return board


def _write(board: Leaderboard, reports: Sequence[Report], folder: Path) -> None:
    (folder / INDEX).write_text(to_json(board), encoding="utf-8")
    for report in reports:
        if isinstance(report, SiteReport):
            report.write_site(board, folder)


def _replace(path: Path, old: Path) -> None:
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)
    path.rename(old)


# ---- verification ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """The result of verifying a site."""

    faults: tuple[str, ...]
    """One line each, beginning with the location."""
    runs: int = 0
    numbers: int = 0
    """Numbers in `leaderboard.json` that were recomputed."""
    pages: int = 0


def verify(site: Path, reports: Sequence[Report], harness: str, catalog: Catalog | None = None) -> Checked:
    """Recompute everything a site publishes from its bundles alone, and compare it with the published files.

    Args:
        site: the folder.
        reports: all reports; those that are a `SiteReport` write pages.
        harness: the version of ftbench.
        catalog: knows the families of strategies.

    Raises:
        RunError: the folder is not a site.
    """
    index = site / INDEX
    if not index.is_file():
        raise RunError(f"{site}: not a leaderboard: it has no {INDEX}; `ftbench leaderboard build` creates one")
    try:
        table = read_published(read_text(index, _MAX_BYTES), str(index))
    except RunError as error:
        return Checked(error.mistakes)
    if table["harness"] != harness:
        built = f"was built by ftbench {table['harness']}, but this is {harness}"
        return Checked((f"{index}: {built}; build it again, or verify it with that version",))
    with TemporaryDirectory(prefix="ftbench-") as folder:
        entries, faults = _entries(table["runs"], site, catalog)
        reruns: Mapping[str, Rerun] = {}
        try:
            reruns = read_reruns(site)
        except RunError as error:
            faults += error.mistakes
        shas = {run["sha256"] for run in table["runs"]}
        faults += [f"{site / RERUNS}: {one[:80]} is not a published bundle" for one in reruns if one not in shas]
        if faults:
            return Checked(tuple(map(one_line, faults)))
        try:
            board = leaderboard_of(entries, harness, table["drift"], reruns)
        except RunError as error:
            return Checked(error.mistakes)
        again = Path(folder) / "site"
        again.mkdir()
        _write(board, reports, again)
        computed = table_of(board)
        faults = [one_line(f"{index}: {fault}") for fault in _differences(table, computed, "", computed)]
        pages = [path.relative_to(again) for path in sorted(again.rglob("*")) if path.is_file() and path.name != INDEX]
        faults += _page_faults(site, again, pages)
    return Checked(tuple(faults), len(entries), _count_numbers(computed), len(pages))


def drift_of(site: Path) -> tuple[str, ...]:
    """Return the software fields that may differ within a group of a published site."""
    return tuple(read_published(read_text(site / INDEX, _MAX_BYTES), str(site / INDEX))["drift"])


def _entries(runs: Sequence[Mapping[str, Any]], site: Path, catalog: Catalog | None) -> tuple[list[Entry], list[str]]:
    """Read the published bundles; return the entries, and a line for each fault."""
    entries, faults = [], []
    folder_of_bundles = site / BUNDLES
    for number, run in enumerate(runs):
        place, name = f"{site / INDEX}: runs[{number}]", run["name"]
        if not _NAME.fullmatch(name) or run["bundle"] != bundle_path(name):
            faults.append(f"{place}: {run['bundle'][:80]!r} is not the bundle path of a run named {name[:80]!r}")
            continue
        bundle = site / bundle_path(name)
        if bundle.is_symlink() or not bundle.is_file():
            faults.append(f"{bundle}: is published, but the file does not exist")
        elif (found := read_sha256(bundle)) != run["sha256"]:
            faults.append(f"{bundle}: changed: its SHA-256 is {found}, but {run['sha256']} is published")
        else:
            try:
                entries.append(read_entry(bundle, catalog=catalog, families=run["families"]))
            except RunError as error:
                faults += error.mistakes
    known = {run["bundle"] for run in runs}
    there = sorted(folder_of_bundles.iterdir()) if folder_of_bundles.is_dir() else []
    faults += [
        f"{path}: is in the folder of bundles, but not published"
        for path in there
        if f"{BUNDLES}/{path.name}" not in known
    ]
    return entries, faults


def _differences(published: Any, computed: Any, place: str, root: Any) -> Iterator[str]:
    """Yield a line for each published value that differs from the recomputed one."""
    if isinstance(published, dict) and isinstance(computed, dict):
        for key in dict.fromkeys([*computed, *published]):
            where = f"{place}.{key}" if place else str(key)
            if key not in published:
                yield f"{where}{_about(place, root)}: is missing, but the bundles give it"
            elif key not in computed:
                yield f"{where}{_about(place, root)}: is published, but the bundles do not give it"
            else:
                yield from _differences(published[key], computed[key], where, root)
    elif isinstance(published, list) and isinstance(computed, list):
        for number, (one, other) in enumerate(zip(published, computed, strict=False)):
            yield from _differences(one, other, f"{place}[{number}]", root)
        if len(published) != len(computed):
            yield f"{place}{_about(place, root)}: {len(published)} are published, but the bundles give {len(computed)}"
    elif not _same(published, computed):
        given = f"{_shown(published)} is published, but the bundles give {_shown(computed)}"
        yield f"{place}{_about(place, root)}: {given}"


def _same(published: Any, computed: Any) -> bool:
    if isinstance(published, float) and isinstance(computed, float):
        # Other processors and libraries may round the last bits differently.
        return math.isclose(published, computed, rel_tol=_ROUNDING, abs_tol=_ROUNDING * 1e-3)
    return type(published) is type(computed) and bool(published == computed)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _about(place: str, root: Any) -> str:
    """Return what a JSON path refers to, in words: the device, task column and contender or strategy along it."""
    words, here = [], root
    for step in re.findall(r"[^.\[\]]+", place):
        try:
            here = here[int(step)] if isinstance(here, list) else here[step]
        except (KeyError, IndexError, ValueError, TypeError):
            break
        if isinstance(here, dict):
            words += [
                str(here[name])
                for name in ("device", "target", "label", "contender", "strategy")
                if isinstance(here.get(name), str)
            ][:1]
    return f" ({', '.join(dict.fromkeys(words))})" if words else ""


def _page_faults(site: Path, again: Path, pages: Sequence[Path]) -> Iterator[str]:
    """Find files that differ from the recomputed ones, and everything that `build` does not write."""
    for page in pages:
        path = site / page
        if path.is_symlink() or not path.is_file():
            yield f"{path}: is {'a link' if path.is_symlink() else 'missing'}"
        elif path.read_bytes() != (again / page).read_bytes():
            yield f"{path}: {_first_change(path.read_bytes(), (again / page).read_bytes())}"
    folders = {folder for page in pages for folder in page.parents}
    for place, inside, names in os.walk(site):
        here = Path(place).relative_to(site)
        for name in sorted([*inside, *names]):
            path = here / name
            if path in pages or path in (Path(INDEX), Path(RERUNS)) or here == Path(BUNDLES) or _is_of_host(site, path):
                continue
            if (site / path).is_symlink() or path not in {*folders, Path(BUNDLES)}:
                yield f"{site / path}: is not a file of this leaderboard"


def _is_of_host(site: Path, path: Path) -> bool:
    """Return whether a file is only for the host of the site: the host name, or a mark to serve files as they are."""
    file, pattern = site / path, _HOST_FILES.get(path.as_posix())
    return (
        pattern is not None
        and not file.is_symlink()
        and file.is_file()
        and file.stat().st_size < 300
        and pattern.fullmatch(file.read_bytes()) is not None
    )


def _first_change(published: bytes, computed: bytes) -> str:
    """Describe the first line that differs from the recomputed page, with the text around the difference."""
    ours, theirs = (text.decode(errors="replace").splitlines() for text in (published, computed))
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if one != other:
            shared = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)
            start = max(0, shared - 12)
            ours_here, theirs_here = (_shown(line[start : start + 36]) for line in (one, other))
            return f"line {number}: {ours_here} is published, but the bundles give {theirs_here}"
    return f"has {len(ours)} lines, but the bundles give {len(theirs)}"


def _count_numbers(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_count_numbers(one) for one in value.values())
    if isinstance(value, list):
        return sum(_count_numbers(one) for one in value)
    return int(isinstance(value, int | float) and not isinstance(value, bool))
