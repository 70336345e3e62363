"""Find the suites that ship with ftbench: beside the package in a wheel, in `suites/` of a checkout."""

from __future__ import annotations

from pathlib import Path


def templates() -> dict[str, Path]:
    """Give name → file of every suite that ships."""
    package = Path(__file__).parent
    for folder in (package / "suites", package.parent / "suites"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}
