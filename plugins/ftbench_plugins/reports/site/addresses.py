"""Build the paths of a site's pages from names of suites and strategies, valid on every host and file system."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ftbench.reporting import Group

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_LETTERS = 40


def group_pages(groups: Iterable[Group]) -> dict[str, str]:
    """Return the key of each group → its page; the first group of a suite has the address that stays."""
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for group in groups:
        suite, key = group.fingerprint.suite, group.fingerprint.key
        first = suite not in names
        name = names.setdefault(suite, f"{_slug(group.suite, 'suite')}-{suite[:8]}")
        found[key] = f"suites/{name}.html" if first else f"suites/{name}-{key[:8]}.html"
    return found


def badge_file(page: str) -> str:
    """Return the badge of a suite's page."""
    return f"badges/{page.removeprefix('suites/').removesuffix('.html')}.svg"


def strategy_pages(labels: Iterable[str]) -> dict[str, str]:
    """Return label → page; a hash distinguishes labels that are not file names or differ only in case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(set(labels)):
        name = (
            label
            if _PLAIN.fullmatch(label) and label.casefold() not in taken
            else f"{_slug(label, 'strategy')}-{digest(label)[:8]}"
        )
        taken.add(name.casefold())
        found[label] = f"strategies/{name}.html"
    return found


def run_page(name: str) -> str:
    """Return the page of a run."""
    return f"runs/{name}.html"


def report_folder(name: str) -> str:
    """Return the folder of a run's own page."""
    return f"runs/{name}"


def _slug(text: str, otherwise: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text, flags=re.ASCII)[:_LETTERS].strip("-") or otherwise
