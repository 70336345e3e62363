"""Estimate how long the remaining trials of a run take, from the trials that have finished.

Start reading with `estimate_time_left`.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..records.record import FAILED
from ..records.store import read_records, record_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..records.record import Record
    from ..suite.trial import Trial

ENOUGH = 2
"""Number of finished trials from which the time left is estimated."""


class TrialKind(NamedTuple):
    """What makes two trials take a similar time."""

    column: str
    """Label of the task or sequence."""
    backbone: str
    strategy: str
    is_try: bool = False
    """Whether it is a tuning trial: those measure less."""

    @classmethod
    def of(cls, trial: Trial) -> TrialKind:
        """Return the kind of a planned trial."""
        return cls(*trial.place[:3], trial.role == "try")


@dataclass(frozen=True)
class TrialDuration:
    """A finished trial and its duration."""

    kind: TrialKind
    seconds: float

    @classmethod
    def of(cls, record: Record) -> TrialDuration | None:
        """Return the duration in a record; None if it predicts nothing: the trial failed, or was never started."""
        # The wall time of trials that ran side by side is not recorded; the phases are, and they leave nothing out.
        seconds = sum(phase.seconds for phase in record.phases)
        if record.status in FAILED or not seconds:
            return None
        trial = record.trial
        place = trial["target"], trial["backbone"]["label"], trial["strategy"]["label"]
        return cls(TrialKind(*place, trial.get("role") == "try"), seconds)


_LIKENESS: tuple[Callable[[TrialKind], TrialKind | tuple[str, ...]], ...] = (
    lambda one: one,
    lambda one: one[:3],
    lambda one: one[:2],
    lambda one: one[:1],
    lambda _: (),
)
"""What two trials must have in common, from the best basis of an estimate to the last resort."""


def estimate_time_left(
    finished: Sequence[TrialDuration],
    remaining: Sequence[TrialKind],
    workers: int = 1,
    elapsed: Sequence[float] = (),
) -> float | None:
    """Return the seconds until the remaining trials have ended; None if fewer than `ENOUGH` have finished.

    A trial is expected to take the mean of the finished trials that resemble it most: those of the same configuration,
    else of the same task column and backbone, else of the same task column, else all.

    Args:
        finished: the trials that have finished.
        remaining: the others, in the order in which they start; those that run come first.
        workers: number of trials that run at a time.
        elapsed: the seconds that each of the running trials has taken so far.
    """
    if len(finished) < ENOUGH:
        return None
    expected = list(_expected_seconds(finished, remaining))
    for number, seconds in enumerate(elapsed):
        expected[number] = max(0.0, expected[number] - seconds)
    # Each trial starts on the worker that is free first, as in the run.
    free_at = [0.0] * max(1, workers)
    for seconds in expected:
        heapq.heapreplace(free_at, free_at[0] + seconds)
    return max(free_at)


def _expected_seconds(finished: Sequence[TrialDuration], remaining: Sequence[TrialKind]) -> Iterator[float]:
    """Yield the expected duration of each remaining trial."""
    durations: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for one in finished:
        for shared in _LIKENESS:
            durations[shared(one.kind)].append(one.seconds)
    means = {key: sum(known) / len(known) for key, known in durations.items()}
    for kind in remaining:
        yield next(means[key] for shared in _LIKENESS if (key := shared(kind)) in means)


def finished_durations(run: Path) -> list[TrialDuration]:
    """Read the durations of the finished trials of a run directory; empty if there are none.

    Raises:
        RunError: a file in the folder is not a valid plan or record.
    """
    if not (run / "trials").is_dir():
        return []
    records = read_records([*record_files(run), *record_files(run, tuning=True)])
    return [found for record in records if (found := TrialDuration.of(record)) is not None]


def rough_duration(seconds: float) -> str:
    """Return an estimated duration as text, no more precise than an estimate is: `about 6 min`."""
    if seconds < 10:
        return "less than 10 s"
    if seconds < 95:
        return f"about {10 * round(seconds / 10)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    tens = round(seconds / 600)
    if tens < 36 * 6:
        hours, rest = divmod(tens, 6)
        return f"about {hours} h {10 * rest} min" if rest else f"about {hours} h"
    return f"about {seconds / 86400:.1f} days"
