"""Build the paths of a site's pages from names of suites and strategies, valid on every host and file system."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftbench.fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_LETTERS = 40


def suite_page(name: str, suite: str) -> str:
    """Return the page of a suite, by its name and hash."""
    return f"suites/{_slug(name, 'suite')}-{suite[:8]}.html"


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
