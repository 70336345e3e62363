"""Check that every file of a run directory is what ftbench writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import parse_json, read_text
from .accepted_changes import read_steps
from .data_check import read_data_check
from .predictions import PREDICTIONS, read_predictions
from .run_files import read_lock, read_plan
from .store import read_records, record_files

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = ("calibration.json",)
"""Names of files that other rooms define: here it is only checked that they are JSON objects."""


def check_readable(folder: Path) -> None:
    """Read every file of a run directory that is packed into a bundle.

    Raises:
        RunError: a file is not what its name says.
    """
    read_plan(folder)
    read_lock(folder)
    read_steps(folder)
    read_data_check(folder)
    for name in _TABLES:
        _check_table(folder / name)
    paths = [path for tuning in (False, True) for path in record_files(folder, tuning=tuning)]
    read_records(paths)
    for path in paths:
        _check_predictions(path.with_name(PREDICTIONS))


def _check_table(path: Path) -> None:
    try:
        found = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return
    if not isinstance(found, dict):
        raise RunError(f"{path}: not a JSON object; remove the file")


def _check_predictions(path: Path) -> None:
    found = read_predictions(path)
    if isinstance(found, str) and path.exists():
        raise RunError(f"{path}: {found}; `ftbench retry` runs the trial again")
