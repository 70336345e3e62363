"""What earlier runs of a suite tell of a plan: how far its scores scatter, and so what its seeds can see."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .noise import Noise, read_calibration, typical
from .power import detectable
from .statistics import CLAIM
from .store import read_record, record_files
from .summary import contenders_of
from .target import differences_to_baseline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .record import Record


@dataclass(frozen=True)
class Sight:
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


def foresee_sight(run: Path, planned: Iterable[tuple[str, int]]) -> list[Sight]:
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


def _sight(target: str, seeds: int, records: Sequence[Record], calibrated: dict[tuple[str, str], Noise]) -> Sight:
    metrics = [metric for known, metric in calibrated if known == target]
    if not records:
        metric = metrics[0] if len(metrics) == 1 else ""
        return Sight(target, metric, "1", seeds, calibrated.get((target, metric)))
    primary = records[0].primary
    reading = next((found for record in records if (found := record.measurement(primary))), None)
    noise = calibrated.get((target, primary)) or typical(differences_to_baseline(contenders_of(records), primary))
    return Sight(target, primary, reading.unit if reading else "1", seeds, noise)
