"""Estimate, from earlier runs of a suite, the detectable effects of a plan and the cost of its tuning."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import check_version, parse_json, read_text
from ..records.store import read_record, record_files
from ..stats.noise import Noise, typical
from ..stats.power import detectable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from ..records.record import Record
    from ..suite.suite import Cost
    from ..suite.tuner import ScheduleState


CALIBRATION = "calibration.json"
SCHEMA = "ftbench.calibration/1"
"""Older files have no `schema` key; their top level is the present `noise` table."""


@dataclass(frozen=True)
class DetectableEffect:
    """Smallest effect that the seeds of a plan detect in one task column."""

    target: str
    metric: str
    """Name of the primary score; empty if no run has measured it yet."""
    unit: str
    seeds: int
    """Number of seeds of the plan."""
    noise: Noise | None
    """None if unknown."""

    @property
    def detectable(self) -> float | None:
        """Smallest difference detected with 80 % power, two-sided at 5 %, in the unit of the score; None if unknown."""
        return self.noise.detectable(self.seeds) if self.noise else None

    @property
    def in_deviations(self) -> float | None:
        """That difference in standard deviations of a paired difference; None with fewer than two seeds."""
        return (
            detectable(self.seeds, df=self.noise.df(self.seeds))
            if self.noise and self.seeds > 1
            else detectable(self.seeds)
        )


@dataclass(frozen=True)
class CostEstimate:
    """Cost estimate of trials, from comparable trials of earlier runs."""

    trials: int
    """Number of trials."""
    seconds: float
    """Wall time of the trials that could be estimated."""
    unknown: int
    """Number of trials that could not be estimated."""
    money: float | None
    """Cost at the price set in the suite; None if it sets none."""


@dataclass(frozen=True)
class TuningCostEstimate:
    """Cost estimate of the tuning of a suite and of the trials after it."""

    strategies: int
    """Number of tuned strategies, counted once per backbone and task column."""
    made: CostEstimate
    """Finished tuning trials, at their measured cost."""
    tries: CostEstimate
    """Tuning trials still to run."""
    finals: CostEstimate
    """Trials with chosen or untuned values still to run."""


def foresee_tuning(course: ScheduleState, run: Path, done: Collection[str], cost: Cost) -> TuningCostEstimate:
    """Estimate the number and cost of the tuning trials of a suite.

    Args:
        course: schedule state with the trials of the suite.
        run: the run directory; may be missing.
        done: ids of trials that have a record.
        cost: prices set in the suite.
    """
    mean_times, by_id = _wall_times(run)
    tries = [trial for trial in course.trials if trial.role == "try"]
    later = [trial for trial in course.trials if trial.role != "try" and trial.id not in done]
    tries_to_run = [trial.place[:3] for trial in tries if trial.id not in done]
    tries_to_run += [one.place for one in course.untold for _ in range(one.tries)]
    finals_to_run = [trial.place[:3] for trial in later] + [
        one.place for one in course.untold for _ in range(one.finals)
    ]
    made = [by_id.get(trial.id) for trial in tries if trial.id in done]
    return TuningCostEstimate(
        len({trial.place[:3] for trial in tries}),
        _cost_estimate(made, cost),
        _cost_estimate([mean_times.get(("try", key)) for key in tries_to_run], cost),
        _cost_estimate([mean_times.get(("final", key)) for key in finals_to_run], cost),
    )


def _cost_estimate(seconds: Sequence[float | None], cost: Cost) -> CostEstimate:
    known = [one for one in seconds if one is not None]
    money = None if cost.price_per_hour is None else sum(known) * cost.price_per_hour / 3600
    return CostEstimate(len(seconds), sum(known), len(seconds) - len(known), money)


def _wall_times(run: Path) -> tuple[dict[tuple[str, tuple[str, str, str]], float], dict[str, float]]:
    """Return the mean wall time by role (`try` or `final`) and configuration, and the wall time by trial id."""
    from .tuning.tuning_summary import configuration_of

    found: dict[tuple[str, tuple[str, str, str]], list[float]] = defaultdict(list)
    by_id: dict[str, float] = {}
    for path in [*record_files(run), *record_files(run, tuning=True)] if (run / "trials").is_dir() else []:
        record = read_record(path)
        wall_time = record.measurement("wall_time")
        if wall_time is not None and wall_time.value is not None:
            role = "try" if record.trial.get("role") == "try" else "final"
            found[role, configuration_of(record)].append(wall_time.value)
            by_id[record.id] = wall_time.value
    return {key: sum(values) / len(values) for key, values in found.items()}, by_id


def foresee_effects(run: Path, planned: Iterable[tuple[str, int]]) -> list[DetectableEffect]:
    """Estimate the detectable effect of each task column, from the calibration of the run if any, or its records.

    Args:
        run: the run directory; may be missing.
        planned: task column and seed of every trial of the plan.

    Raises:
        RunError: if a file in the folder is not a valid record or calibration.
    """
    seeds: dict[str, set[int]] = defaultdict(set)
    for target, seed in planned:
        seeds[target].add(seed)
    calibrated = read_calibration(run)
    records: dict[str, list[Record]] = defaultdict(list)
    for path in record_files(run) if (run / "trials").is_dir() else []:
        record = read_record(path)
        records[record.trial["target"]].append(record)
    return [_detectable_effect(target, len(own), records[target], calibrated) for target, own in seeds.items()]


def _detectable_effect(
    target: str, seeds: int, records: Sequence[Record], calibrated: dict[tuple[str, str], Noise]
) -> DetectableEffect:
    metrics = [metric for known, metric in calibrated if known == target]
    if not records:
        metric = metrics[0] if len(metrics) == 1 else ""
        return DetectableEffect(target, metric, "1", seeds, calibrated.get((target, metric)))
    # Most plans are shown before the first run: only records need these slow imports.
    from .aggregation import contenders_of
    from .task_column import differences_to_baseline

    primary = records[0].primary
    reading = next((found for record in records if (found := record.measurement(primary))), None)
    noise = calibrated.get((target, primary)) or typical(differences_to_baseline(contenders_of(records), primary))
    return DetectableEffect(target, primary, reading.unit if reading else "1", seeds, noise)


def read_calibration(run: Path) -> dict[tuple[str, str], Noise]:
    """Read the calibration of a run: task column and metric → noise (`s_d` and `n`); empty if there is no calibration.

    The pairs of a calibration have different seeds, so their noise is at least that of strategies on equal seeds.
    Metrics without any noise are left out.

    Args:
        run: the run directory, with the file `calibration.json`.

    Raises:
        RunError: if the file is not a valid calibration.
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
            f"{path}: not a valid calibration such as {shape}: {type(error).__name__} {error}; "
            f"remove the file to run without a calibration"
        ) from None


def _positive(value: float) -> float:
    if not 0 < float(value) < math.inf:
        raise ValueError(f"s_d must be above 0, got {value!r}")
    return float(value)
