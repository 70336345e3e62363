"""The suite of a run directory, as it was resolved when it was last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunError
from .run_files import LOCK, read_lock_table

if TYPE_CHECKING:
    from pathlib import Path

    from ..suite.suite import Suite


def resolved_suite(run: Path) -> Suite:
    """Read `suite.lock.toml`.

    Raises:
        RunError: it is not there, is none, or is of a run directory that had another name.
    """
    from pydantic import TypeAdapter, ValidationError

    from ..suite.suite import Suite

    path = run / LOCK
    try:
        suite = TypeAdapter(Suite).validate_python(read_lock_table(run))
    except FileNotFoundError:
        raise RunError(f"{run}: not a run directory: it has no suite.lock.toml") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if suite.name != run.resolve().name:
        raise RunError(f"{run}: holds the suite {suite.name!r}; call the folder so again to go on in it")
    return suite
