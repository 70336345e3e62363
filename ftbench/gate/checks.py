"""One thing a gate held a run to, and how it came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..analysis.metric_tiers import Tier
    from ..records.record_set import Place

Verdict = Literal["not comparable", "missing", "regressed", "inconclusive", "changed", "accepted", "ok"]
VERDICTS: tuple[Verdict, ...] = ("not comparable", "missing", "regressed", "inconclusive", "changed", "accepted", "ok")
"""The gravest first, in the order in which their exit codes win."""
TRIALS = "trials"
"""What is checked where the trials themselves are missing."""


@dataclass(frozen=True)
class Check:
    """A metric of a strategy, held against the baseline."""

    verdict: Verdict
    place: Place
    metric: str
    tier: Tier
    message: str
    """What was found, with sizes: `71.2 % → 42.0 %, −29.2 points …`."""
    task: str = ""
    """The task of a sequence; empty for the whole trial."""
    seeds: tuple[int, ...] = ()
    """Of the pairs of trials it rests on."""
    before: tuple[float | str | None, ...] = ()
    """The baseline's value on each seed."""
    after: tuple[float | str | None, ...] = ()
    """This run's."""
    held: bool = True
    """Whether it counts for the exit code."""

    @property
    def title(self) -> str:
        """What was checked, in a few words."""
        return f"{self.metric}{f' of {self.task}' if self.task else ''}, {self.place}"

    def __str__(self) -> str:
        return f"{self.verdict}: {self.title}: {self.message}"


def exit_code(checks: Sequence[Check], *, strict: bool = False) -> ExitCode:
    """Give the exit code of a gate: the first that holds of 5, 1, 3 and, where `strict`, 4."""
    found = {check.verdict for check in checks if check.held}
    if "not comparable" in found:
        return ExitCode.NOT_COMPARABLE
    if "missing" in found or not found:
        return ExitCode.TRIALS_FAILED
    if "regressed" in found:
        return ExitCode.REGRESSION
    return ExitCode.INCONCLUSIVE if strict and found & {"inconclusive", "changed"} else ExitCode.OK


def gravest_first(checks: Iterable[Check]) -> list[Check]:
    """Sort checks by their verdict, those that do not count last; else as they came."""
    return sorted(checks, key=lambda check: (not check.held, VERDICTS.index(check.verdict)))
