"""The suite of a run directory, as it was resolved when it was last run."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from .errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

    from .suite import Suite


def resolved_suite(run: Path) -> Suite:
    """Read `suite.lock.toml`.

    Raises:
        RunError: it is not there, is none, or is of a run directory that had another name.
    """
    from pydantic import TypeAdapter, ValidationError

    from .suite import Suite

    path = run / "suite.lock.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        suite = TypeAdapter(Suite).validate_python(table)
    except FileNotFoundError:
        raise RunError(f"{run}: not a run directory: it has no suite.lock.toml") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RunError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None
    if suite.name != run.resolve().name:
        raise RunError(f"{run}: holds the suite {suite.name!r}; call the folder so again to go on in it")
    return suite
