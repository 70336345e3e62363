"""Every error ftbench raises on purpose.

FtbenchError
├── UserError                 a mistake of the user: one line each, exit code 2
│   ├── SuiteError            in a suite file; carries all mistakes of the file
│   ├── PluginError           in the choice or the code of a plugin
│   ├── RunError              in a run directory: not one, another suite's, in use
│   │   └── RunStopped        it can no longer be written: the trials that are missing are; exit code 1
│   ├── NotComparable         two sets of records that must not be compared, with what differs; exit code 5
│   └── NotCached             on the hub perhaps, but not on this machine
├── TrialError                ends one trial and becomes its record
│   ├── NotApplicable         the strategy cannot serve this backbone or task, with the reason
│   ├── Diverged              the loss is no longer a number
│   ├── Changed               data or weights are not those that were planned with
│   └── Hopeless              a try of tuning that earlier ones have left behind
└── NotMeasured               a device does not tell what it is asked, with the reason
"""

from __future__ import annotations

import difflib
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from .formatting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """What the shell sees; where several hold, the first of 2, 5, 1, 3, 4."""

    OK = 0
    TRIALS_FAILED = 1
    USAGE = 2
    REGRESSION = 3
    INCONCLUSIVE = 4
    NOT_COMPARABLE = 5
    INTERNAL = 70
    INTERRUPTED = 130


class FtbenchError(Exception):
    """The root of all errors raised on purpose."""


class UserError(FtbenchError):
    """A mistake of the user, in lines that say where, what, and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, *mistakes: str) -> None:
        # A name in it may come from anywhere, and a line each is what is promised.
        self.mistakes = tuple(visible(mistake) for mistake in mistakes)
        super().__init__("\n".join(self.mistakes))


class SuiteError(UserError):
    """A suite file that cannot be run."""


class PluginError(UserError):
    """A plugin that cannot be found, loaded or told apart from another."""


class RunError(UserError):
    """A run directory that cannot be used."""


class RunStopped(RunError):  # noqa: N818 - names what happened
    """A run directory that could be written and no longer can: the disk is full, or has failed."""

    exit_code = ExitCode.TRIALS_FAILED


class NotComparable(UserError):  # noqa: N818 - names what is the case
    """Two sets of records that differ in what must be equal; a line for each difference."""

    exit_code = ExitCode.NOT_COMPARABLE


class NotCached(UserError):  # noqa: N818 - names what is the case
    """A repository of the hub that is not in the local cache, or not whole."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what}; set online = true to download it, or give {instead}")
        self.what = what
        """Which repository, and what there is of it."""


class TrialError(FtbenchError):
    """Ends one trial; the others go on."""


class NotApplicable(TrialError):  # noqa: N818 - a fact about the cell, not a fault
    """The strategy cannot serve this backbone or task; the message is the reason shown in the row."""


class Diverged(TrialError):  # noqa: N818 - names what happened
    """The loss or a gradient is infinite or not a number."""


class Changed(TrialError):  # noqa: N818 - names what happened
    """Data or weights are not those the trial was planned with."""


class Pruned(TrialError):  # noqa: N818 - names what happened
    """A try of tuning that is not worth going on with; the message says where it stood, and where it should have."""


class NotMeasured(FtbenchError):  # noqa: N818 - names what is the case
    """A device does not tell what it is asked; the message is the reason a measurement shows."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give `; did you mean …?` for the nearest known name, or the list of a few, or nothing."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
