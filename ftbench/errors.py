"""Every error that ftbench raises on purpose, and the exit codes.

FtbenchError
├── UserError                 user error: one line per mistake, exit code 2
│   ├── SuiteError            invalid suite file; lists all mistakes in the file
│   ├── PluginError           plugin that is missing, invalid or cannot be loaded
│   ├── RunError              unusable run directory: not one, of another suite, or in use
│   │   └── RunStopped        the run directory can no longer be written; trials are missing; exit code 1
│   ├── NotComparable         records that must not be compared, with their differences; exit code 5
│   └── NotCached             repository that is missing from the local Hub cache
├── TrialError                ends one trial and becomes its record
│   ├── NotApplicable         the strategy does not support this backbone or task, with the reason
│   ├── Diverged              the loss is no longer a finite number
│   ├── Changed               data or weights differ from those of the plan
│   └── Pruned                tuning trial stopped because it falls behind earlier ones
└── NotMeasured               a device does not provide a reading, with the reason
"""

from __future__ import annotations

import difflib
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from .formatting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """Exit codes of the command line; if several apply, the first of 2, 5, 1, 3, 4 is used."""

    OK = 0
    TRIALS_FAILED = 1
    USAGE = 2
    REGRESSION = 3
    INCONCLUSIVE = 4
    NOT_COMPARABLE = 5
    INTERNAL = 70
    INTERRUPTED = 130


class FtbenchError(Exception):
    """Base class of all errors that ftbench raises on purpose."""


class UserError(FtbenchError):
    """User error: one line per mistake with the place, the problem and how to fix it."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, *mistakes: str) -> None:
        # Names in a message may contain control characters, and each mistake must stay on one line.
        self.mistakes = tuple(visible(mistake) for mistake in mistakes)
        super().__init__("\n".join(self.mistakes))


class SuiteError(UserError):
    """Invalid suite file."""


class PluginError(UserError):
    """Plugin that cannot be found or loaded, or whose name is ambiguous."""


class RunError(UserError):
    """Unusable run directory."""


class RunStopped(RunError):  # noqa: N818 - names what happened
    """Run directory that can no longer be written because the disk is full or has failed."""

    exit_code = ExitCode.TRIALS_FAILED


class NotComparable(UserError):  # noqa: N818 - names the situation
    """Two sets of records that differ where they must be equal; one line per difference."""

    exit_code = ExitCode.NOT_COMPARABLE


class NotCached(UserError):  # noqa: N818 - names the situation
    """Hub repository that is missing from the local cache or incomplete."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what}; set online = true to download it, or give {instead}")
        self.what = what
        """The repository, and which part of it is cached."""


class TrialError(FtbenchError):
    """Error that ends one trial; the other trials continue."""


class NotApplicable(TrialError):  # noqa: N818 - describes a configuration, not a failure
    """The strategy does not support this backbone or task; the message is the reason that reports show."""


class Diverged(TrialError):  # noqa: N818 - names what happened
    """The loss or a gradient is infinite or NaN."""


class Changed(TrialError):  # noqa: N818 - names what happened
    """Data or weights differ from those the trial was planned with."""


class Pruned(TrialError):  # noqa: N818 - names what happened
    """Tuning trial stopped because it falls behind earlier ones; the message gives its score and the threshold."""


class NotMeasured(FtbenchError):  # noqa: N818 - names the situation
    """A device does not provide a reading; the message becomes the reason of the measurement."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known name, otherwise all known names, or an empty string."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
