"""What earlier runs of a suite tell of a plan: how far its scores scatter, and so what its seeds can see."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import check_version, parse_json, read_text
from ..records.store import read_record, record_files
from ..stats.estimates import CLAIM
from ..stats.noise import Noise, typical
from ..stats.power import detectable
from .summary import contenders_of
from .task_column import differences_to_baseline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from ..records.record import Record
    from ..suite.suite import Cost
    from ..suite.tuner import Course


CALIBRATION = "calibration.json"
SCHEMA = "ftbench.calibration/1"
"""Files without it were written before there was one: they are what `noise` holds now."""


@dataclass(frozen=True)
class DetectableEffect:
    """What the seeds of a plan can see of one target."""

    target: str
    metric: str
    """The primary score; empty where no run has told it yet."""
    unit: str
    seeds: int
    """Seeds of the plan."""
    noise: Noise | None
    """None where nothing is known of it."""

    @property
    def detectable(self) -> float | None:
        """The smallest difference that is found four times in five, two-sided at 5 %, in the unit of the score; None where unknown."""
        return self.noise.detectable(self.seeds) if self.noise and self.seeds >= CLAIM else None

    @property
    def in_deviations(self) -> float | None:
        """The same in standard deviations of a paired difference; None under two seeds."""
        return detectable(self.seeds)


@dataclass(frozen=True)
class CostEstimate:
    """What trials take, by what their like took in earlier runs."""

    trials: int
    """How many they are."""
    seconds: float
    """Wall time of those whose like has been run."""
    unknown: int
    """Those of which nothing is known."""
    money: float | None
    """At the suite's price; None where it gives none."""


@dataclass(frozen=True)
class TuningToll:
    """What the tuning of a suite takes, and what follows it."""

    strategies: int
    """Strategies that are tuned, counted on each backbone and target."""
    made: CostEstimate
    """Tries that have a record: what they did take."""
    tries: CostEstimate
    """Tries that are to come."""
    finals: CostEstimate
    """Trials with chosen or untuned values that are to come."""


def foresee_tuning(course: Course, run: Path, done: Collection[str], cost: Cost) -> TuningToll:
    """Count the tries of a suite and what they take.

    Args:
        course: its trials.
        run: the run directory; need not be there.
        done: ids of trials that have a record.
        cost: the suite's prices.
    """
    spent, by_id = _spent(run)
    tries = [trial for trial in course.trials if trial.role == "try"]
    later = [trial for trial in course.trials if trial.role != "try" and trial.id not in done]
    coming = [trial.place[:3] for trial in tries if trial.id not in done]
    coming += [one.place for one in course.untold for _ in range(one.tries)]
    after = [trial.place[:3] for trial in later] + [one.place for one in course.untold for _ in range(one.finals)]
    made = [by_id.get(trial.id) for trial in tries if trial.id in done]
    return TuningToll(
        len({trial.place[:3] for trial in tries}),
        _toll(made, cost),
        _toll([spent.get(("try", place)) for place in coming], cost),
        _toll([spent.get(("final", place)) for place in after], cost),
    )


def _toll(seconds: Sequence[float | None], cost: Cost) -> CostEstimate:
    known = [one for one in seconds if one is not None]
    money = None if cost.price_per_hour is None else sum(known) * cost.price_per_hour / 3600
    return CostEstimate(len(seconds), sum(known), len(seconds) - len(known), money)


def _spent(run: Path) -> tuple[dict[tuple[str, tuple[str, str, str]], float], dict[str, float]]:
    """Give the mean wall time of tries and of other trials, by role and place, and that of every trial, by its id."""
    found: dict[tuple[str, tuple[str, str, str]], list[float]] = defaultdict(list)
    by_id: dict[str, float] = {}
    for path in [*record_files(run), *record_files(run, tuning=True)] if (run / "trials").is_dir() else []:
        record = read_record(path)
        taken, trial = record.measurement("wall_time"), record.trial
        if taken is not None and taken.value is not None:
            place = (trial["target"], trial["backbone"]["label"], trial["strategy"]["label"])
            found["try" if trial.get("role") == "try" else "final", place].append(taken.value)
            by_id[record.id] = taken.value
    return {key: sum(values) / len(values) for key, values in found.items()}, by_id


def foresee_sight(run: Path, planned: Iterable[tuple[str, int]]) -> list[DetectableEffect]:
    """Tell what each target's seeds can see, by a calibration of the run where there is one, else by its records.

    Args:
        run: the run directory; need not be there.
        planned: target and seed of every trial of the plan.

    Raises:
        RunError: the folder holds something that is no record or no calibration.
    """
    seeds: dict[str, set[int]] = defaultdict(set)
    for target, seed in planned:
        seeds[target].add(seed)
    calibrated = read_calibration(run)
    records: dict[str, list[Record]] = defaultdict(list)
    for path in record_files(run) if (run / "trials").is_dir() else []:
        record = read_record(path)
        records[record.trial["target"]].append(record)
    return [_sight(target, len(own), records[target], calibrated) for target, own in seeds.items()]


def _sight(
    target: str, seeds: int, records: Sequence[Record], calibrated: dict[tuple[str, str], Noise]
) -> DetectableEffect:
    metrics = [metric for known, metric in calibrated if known == target]
    if not records:
        metric = metrics[0] if len(metrics) == 1 else ""
        return DetectableEffect(target, metric, "1", seeds, calibrated.get((target, metric)))
    primary = records[0].primary
    reading = next((found for record in records if (found := record.measurement(primary))), None)
    noise = calibrated.get((target, primary)) or typical(differences_to_baseline(contenders_of(records), primary))
    return DetectableEffect(target, primary, reading.unit if reading else "1", seeds, noise)


def read_calibration(run: Path) -> dict[tuple[str, str], Noise]:
    """Read what a calibration of the run has found: target → metric → `s_d` and `n`; nothing where there is none.

    Its pairs are of different seeds, so that they scatter at least as far as strategies on the same seeds. What did not scatter at
    all is left out.

    Args:
        run: the run directory, where the file `calibration.json` lies.

    Raises:
        RunError: the file is no such table.
    """
    path = run / CALIBRATION
    try:
        table = parse_json(read_text(path), str(path))
    except FileNotFoundError:
        return {}
    if isinstance(table, dict) and isinstance(table.get("schema"), str):
        check_version(table["schema"], SCHEMA, str(path))
        table = table.get("noise")
    try:
        return {
            (target, metric): Noise(
                _positive(found["s_d"]), int(found["n"]), f"calibration over {found['n']} re-seeded pairs"
            )
            for target, metrics in table.items()
            for metric, found in metrics.items()
            if found["s_d"] != 0
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shape = '{"schema": "ftbench.calibration/1", "noise": {"target": {"metric": {"s_d": 0.008, "n": 10}}}}'
        raise RunError(
            f"{path}: not a calibration, {shape}: {type(error).__name__} {error}; take it away to do without"
        ) from None


def _positive(value: float) -> float:
    if not 0 < float(value) < math.inf:
        raise ValueError(f"s_d must be above 0, got {value!r}")
    return float(value)
