"""Calibrate a gate: check a run against itself to measure the noise of its scores and the false-alarm rate.

Equal seeds give equal bits on a CPU and would show no noise, so each seed is paired with another one; the result is
labelled "re-seeded".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from ..analysis.forecast import CALIBRATION, SCHEMA
from ..errors import RunError
from ..files import write_whole
from ..stats.estimates import estimate
from .gate import hold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..records.record_set import RecordSet
    from ..suite.suite import Gate
    from .checks import Check

FILE = CALIBRATION
"""File name, in the run directory; under `noise`, it maps task column → metric → `Noise`."""
PAIRING = "re-seeded: seed i with seed i + {n}"


@dataclass(frozen=True)
class Noise:
    """How much a score of a task column varies with the seed alone."""

    s_d: float
    """Standard deviation of the paired differences, pooled over strategies: the root of the mean variance."""
    n: int
    """Pairs per strategy."""
    pairing: str
    """How seeds were paired."""
    strategies: Mapping[str, float]
    """Standard deviation of each strategy, labelled with the backbone too if the task column has several."""
    gates: int
    """Number of simulated gates: two per disjoint block of seeds, one in each direction."""
    alarms: int
    """Number of simulated gates in which a strategy's score regressed."""


@dataclass(frozen=True)
class Calibration:
    """The noise of a run's scores and the false alarms of its simulated gates."""

    noise: Mapping[str, Mapping[str, Noise]]
    """Task column → metric → noise."""
    gates: int
    """Number of simulated gates."""
    alarms: int
    """Number of simulated gates in which anything regressed."""


def seeds_for(repetitions: int, gate: Gate) -> int:
    """Return the number of seeds for this many simulated gates, each with the seeds of the first look on both sides."""
    return 2 * gate.looks[0] * repetitions


def calibrate(run: RecordSet, gate: Gate) -> Calibration:
    """Measure the noise of a run's scores, and how often a gate would report a regression because of it.

    s_d compares seed i with seed i + K, where K is half of the seeds. Each block of seeds that is large enough for the
    first look on both sides gives two simulated gates, one in each direction.

    Raises:
        RunError: there are too few seeds, a trial has no score, or each seed has its own data.
    """
    enough = seeds_for(1, gate)
    seeds = run.seeds
    if len(seeds) < enough:
        raise RunError(
            f"{run.source}: {len(seeds)} seeds are too few to calibrate; {enough} allow one simulated gate, "
            f"{10 * enough} allow ten"
        )
    _check_complete(run)
    half = len(seeds) // 2
    whole = _scores(_check_seeds(run, seeds[:half], seeds[half : 2 * half], gate))
    gates = [checks for block in _blocks(seeds, enough) for checks in _both_directions(run, block, gate)]
    noise: dict[str, dict[str, Noise]] = {}
    whole = [check for check in whole if not check.members]
    for target, metric in dict.fromkeys((check.place.target, check.metric) for check in whole):
        found = [check for check in whole if (check.place.target, check.metric) == (target, metric)]
        alarms = sum(any(_is_regression(check, target, metric) for check in checks) for checks in gates)
        noise.setdefault(target, {})[metric] = _noise(found, half, len(gates), alarms)
    alarmed = sum(any(check.verdict == "regressed" for check in checks) for checks in gates)
    return Calibration(noise, len(gates), alarmed)


def write_calibration(found: Calibration, folder: Path) -> Path:
    """Write `calibration.json` into a run directory and return its path."""
    table = {
        target: {metric: asdict(noise) for metric, noise in metrics.items()} for target, metrics in found.noise.items()
    }
    write_whole(folder / FILE, json.dumps({"schema": SCHEMA, "noise": table}, indent=1, ensure_ascii=False) + "\n")
    return folder / FILE


def _check_complete(run: RecordSet) -> None:
    for place, seed in run.unfinished:
        raise RunError(f"{run.source}: {place}, seed {seed}: has no record yet")
    for place, records in run.records.items():
        for seed, record in records.items():
            if record.status not in ("ok", "not-applicable"):
                raise RunError(
                    f"{run.source}: {place}, seed {seed}: {record.status}; every trial needs a score to measure noise"
                )


def _noise(found: Sequence[Check], n: int, gates: int, alarms: int) -> Noise:
    several = len({check.place.backbone for check in found}) > 1
    by_strategy: dict[str, float] = {}
    for check in found:
        differences = [
            float(after) - float(before)
            for before, after in zip(check.before, check.after, strict=True)
            if before is not None and after is not None
        ]
        label = f"{check.place.strategy} ({check.place.backbone})" if several else check.place.strategy
        by_strategy[label] = estimate(differences).deviation or 0.0
    pooled = fmean(deviation**2 for deviation in by_strategy.values()) ** 0.5
    return Noise(pooled, n, PAIRING.format(n=n), by_strategy, gates, alarms)


def _blocks(seeds: Sequence[int], size: int) -> list[Sequence[int]]:
    return [seeds[begin : begin + size] for begin in range(0, len(seeds) - size + 1, size)]


def _both_directions(run: RecordSet, block: Sequence[int], gate: Gate) -> list[list[Check]]:
    half = len(block) // 2
    one, other = block[:half], block[half:]
    return [_scores(_check_seeds(run, *sides, gate)) for sides in ((one, other), (other, one))]


def _check_seeds(run: RecordSet, base: Sequence[int], head: Sequence[int], gate: Gate) -> list[Check]:
    """Check the trials of some seeds against those of others, as if the seeds were equal."""
    return hold(_renumbered(run, head), _renumbered(run, base), gate)


def _renumbered(run: RecordSet, seeds: Sequence[int]) -> RecordSet:
    names = {seed: number for number, seed in enumerate(seeds)}
    records = {
        place: {
            names[seed]: replace(record, trial={**record.trial, "seed": names[seed]})
            for seed, record in found.items()
            if seed in names
        }
        for place, found in run.records.items()
    }
    return replace(run, records=records, unfinished=(), accepted=(), seeds=tuple(names.values()))


def _scores(checks: Sequence[Check]) -> list[Check]:
    """Return the checks of scores; nothing else is noisy here.

    Raises:
        RunError: a score is missing, or cannot be compared because each seed has its own data.
    """
    for check in checks:
        if check.tier == "quality" and check.verdict == "not comparable":
            raise RunError(f"each seed has its own data: {check.message}")
        if check.gating and check.verdict == "missing":
            raise RunError(str(check))
    return [check for check in checks if check.tier == "quality"]


def _is_regression(check: Check, target: str, metric: str) -> bool:
    return check.verdict == "regressed" and (check.place.target, check.metric) == (target, metric)
