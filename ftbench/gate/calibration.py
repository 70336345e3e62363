"""What a gate would say of nothing at all: a run held against itself, each seed against another one.

Equal seeds give equal bits on a CPU and would show no noise, so seeds are paired with others, and the result is labelled so.
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
"""In the run directory: under `noise`, target → metric → `Noise`."""
PAIRING = "re-seeded: seed i with seed i + {n}"


@dataclass(frozen=True)
class Noise:
    """How much a score of a target moves when nothing but the seed does."""

    s_d: float
    """Standard deviation of the paired differences, pooled over the strategies: the root of the mean of their variances."""
    n: int
    """Pairs of each strategy."""
    pairing: str
    """How seeds were paired."""
    strategies: Mapping[str, float]
    """The same of each strategy; with the backbone's label where the target has several."""
    gates: int
    """How many gates were made of disjoint blocks of seeds, both ways round."""
    alarms: int
    """In how many of them the score of a strategy was called worse."""


@dataclass(frozen=True)
class Calibration:
    """What a run says of its own noise."""

    noise: Mapping[str, Mapping[str, Noise]]
    """Target → metric → noise."""
    gates: int
    """How many gates were made."""
    alarms: int
    """How many of them called anything worse."""


def seeds_for(repetitions: int, gate: Gate) -> int:
    """Give how many seeds so many repetitions of a gate's first look take."""
    return 2 * gate.looks[0] * repetitions


def calibrate(run: RecordSet, gate: Gate) -> Calibration:
    """Measure the noise of a run's scores, and how often a gate would call it a regression.

    s_d comes from seed i against seed i + K, K half of the seeds. A gate is made of each block of seeds that is enough for the
    first look on both sides, and of the same block the other way round.

    Raises:
        RunError: there are too few seeds, a trial failed, or each seed has data of its own.
    """
    enough = seeds_for(1, gate)
    seeds = run.seeds
    if len(seeds) < enough:
        raise RunError(
            f"{run.source}: {len(seeds)} seeds are too few to calibrate with; {enough} give one gate, {10 * enough} give ten"
        )
    _refuse_failures(run)
    half = len(seeds) // 2
    whole = _scores(_against_others(run, seeds[:half], seeds[half : 2 * half], gate))
    gates = [checks for block in _blocks(seeds, enough) for checks in _both_ways(run, block, gate)]
    noise: dict[str, dict[str, Noise]] = {}
    for target, metric in dict.fromkeys((check.place.target, check.metric) for check in whole):
        found = [check for check in whole if (check.place.target, check.metric) == (target, metric)]
        alarms = sum(any(_is(check, target, metric) for check in checks) for checks in gates)
        noise.setdefault(target, {})[metric] = _noise(found, half, len(gates), alarms)
    alarmed = sum(any(check.verdict == "regressed" for check in checks) for checks in gates)
    return Calibration(noise, len(gates), alarmed)


def write_calibration(found: Calibration, folder: Path) -> Path:
    """Write `calibration.json` into a run directory."""
    table = {
        target: {metric: asdict(noise) for metric, noise in metrics.items()} for target, metrics in found.noise.items()
    }
    write_whole(folder / FILE, json.dumps({"schema": SCHEMA, "noise": table}, indent=1, ensure_ascii=False) + "\n")
    return folder / FILE


def _refuse_failures(run: RecordSet) -> None:
    for place, seed in run.unfinished:
        raise RunError(f"{run.source}: {place}, seed {seed}: has no record yet")
    for place, records in run.records.items():
        for seed, record in records.items():
            if record.status not in ("ok", "not-applicable"):
                raise RunError(
                    f"{run.source}: {place}, seed {seed}: {record.status}; noise is measured where every trial has a score"
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


def _both_ways(run: RecordSet, block: Sequence[int], gate: Gate) -> list[list[Check]]:
    half = len(block) // 2
    one, other = block[:half], block[half:]
    return [_scores(_against_others(run, *sides, gate)) for sides in ((one, other), (other, one))]


def _against_others(run: RecordSet, base: Sequence[int], head: Sequence[int], gate: Gate) -> list[Check]:
    """Hold the trials of some seeds against those of others, as if they were of the same."""
    return hold(_renamed(run, head), _renamed(run, base), gate)


def _renamed(run: RecordSet, seeds: Sequence[int]) -> RecordSet:
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
    """Take the scores, which alone have noise of their own here.

    Raises:
        RunError: some could not be judged.
    """
    for check in checks:
        if check.tier == "quality" and check.verdict == "not comparable":
            raise RunError(f"each seed has data of its own: {check.message}")
        if check.held and check.verdict == "missing":
            raise RunError(str(check))
    return [check for check in checks if check.tier == "quality"]


def _is(check: Check, target: str, metric: str) -> bool:
    return check.verdict == "regressed" and (check.place.target, check.metric) == (target, metric)
