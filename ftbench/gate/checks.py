"""One check of a gate, its verdict, and the exit code of all checks."""

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
"""The most severe first; of several, the first decides the exit code."""
TRIALS = "trials"
"""Metric of a check that reports missing trials."""


@dataclass(frozen=True)
class Check:
    """A metric of a strategy, compared with the baseline."""

    verdict: Verdict
    place: Place
    metric: str
    tier: Tier
    message: str
    """The finding with its numbers: `71.2 → 42.0 % (−29.2 points, allowed −1.0) …`."""
    task: str = ""
    """The task of a sequence; empty for the whole trial."""
    seeds: tuple[int, ...] = ()
    """Seeds of the compared pairs of trials."""
    before: tuple[float | str | None, ...] = ()
    """Value in the baseline, per seed."""
    after: tuple[float | str | None, ...] = ()
    """Value in this run, per seed."""
    gating: bool = True
    """Whether it counts for the exit code."""
    members: tuple[Place, ...] = ()
    """The configurations it is about, if it is about all strategies together."""

    def finding(self, *, backbone: bool = True) -> str:
        """Return what was checked and found: `accuracy of lora on digits: 80.9 → 75.9 % (−5.0 points, …`.

        Args:
            backbone: whether to name the backbone.
        """
        task = f", {self.task}" if self.task and self.task != self.place.target else ""
        return f"{self.metric} of {place_text(self.place, backbone=backbone)}{task}: {self.message}"

    def __str__(self) -> str:
        return f"{self.verdict}: {self.finding()}"


def place_text(place: Place, *, backbone: bool) -> str:
    """Return a configuration in words; without its backbone if all have the same."""
    return str(place) if backbone else f"{place.strategy} on {place.target}"


def several_backbones(checks: Iterable[Check]) -> bool:
    """Return whether the checks are of more than one backbone, so that texts must name it."""
    return len({check.place.backbone for check in checks}) > 1


def exit_code(checks: Sequence[Check], *, strict: bool = False) -> ExitCode:
    """Return the exit code of a gate: the first that applies of 5, 1, 3 and, if `strict`, 4."""
    found = {check.verdict for check in checks if check.gating}
    if "not comparable" in found:
        return ExitCode.NOT_COMPARABLE
    if "missing" in found or not found:
        return ExitCode.TRIALS_FAILED
    if "regressed" in found:
        return ExitCode.REGRESSION
    return ExitCode.INCONCLUSIVE if strict and found & {"inconclusive", "changed"} else ExitCode.OK


def most_severe_first(checks: Iterable[Check]) -> list[Check]:
    """Sort checks by severity; those that do not count for the exit code come last. The sort is stable."""
    return sorted(checks, key=lambda check: (not check.gating, VERDICTS.index(check.verdict)))
