"""Read the TOML file of a suite, with limits on its size and its schema version."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from ..errors import RunError, SuiteError
from ..files import check_version, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "ftbench.suite/1"
LARGEST = 1_000_000
"""Largest size of a suite file, in bytes."""


def read_table(path: Path) -> dict[str, Any]:
    """Read the table of a suite file.

    Raises:
        SuiteError: the path is not a regular file, or the file is too large, not UTF-8 or not TOML.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SuiteError(f"{path}: is not a regular file")
        if path.stat().st_size > LARGEST:
            raise SuiteError(f"{path}: larger than 1 MB; a suite names its data and does not contain it")
        return parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"{path}: no such file; `ftbench new suite quickstart` writes one to start from") from None
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise SuiteError(f"{path}: not TOML: {error}") from None


def check_suite_version(table: Mapping[str, Any], source: str) -> None:
    """Check that this ftbench reads the schema version of a suite; a missing version counts as the current one.

    Raises:
        SuiteError: it does not.
    """
    try:
        check_version(table.get("schema", SCHEMA), SCHEMA, f"{source}: schema")
    except RunError as error:
        raise SuiteError(*error.mistakes) from None
