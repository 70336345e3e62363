"""Find the suites that ship with ftbench: beside the package in a wheel, in `suites/` of a checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..fingerprint import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path


def templates() -> dict[str, Path]:
    """Give name → file of every suite that ships."""
    return {path.stem: path for path in sorted(_folder().glob("*.toml"))}


def skeleton(name: str) -> str:
    """Give the text of a suite whose places in braces are still to be filled in."""
    return (_folder() / "templates" / f"{name}.toml").read_text(encoding="utf-8")


def _folder() -> Path:
    own = PACKAGE / "suites"
    return own if own.is_dir() else PACKAGE.parent / "suites"
