"""How far differences scatter over seeds, from runs that are done; and what so many seeds can see of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from ..errors import RunError
from ..files import check_version, parse_json, read_text
from .power import detectable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .estimates import Difference

CALIBRATION = "calibration.json"
SCHEMA = "ftbench.calibration/1"
"""Files without it were written before there was one: they are what `noise` holds now."""


@dataclass(frozen=True)
class Noise:
    """The scatter of paired differences over seeds."""

    s_d: float
    """Standard deviation of a paired difference, in the unit of the score."""
    n: int
    """Paired differences it comes from."""
    source: str
    """Where it comes from."""

    def detectable(self, seeds: int) -> float | None:
        """Give the smallest difference that so many seeds find with 80 % power, two-sided at 5 %; None under two seeds."""
        smallest = detectable(seeds)
        return None if smallest is None else smallest * self.s_d


def typical(differences: Iterable[Difference]) -> Noise | None:
    """Give the scatter of a typical comparison; None where nothing scatters.

    The median of the standard deviations, each over that of a normal sample of as many seeds, √(median of χ²(n − 1)/(n − 1)): one
    comparison with a strategy that hardly learns does not blow it up.
    """
    from scipy.special import gammaincinv

    known = [(d.estimate.n - 1, d.estimate.deviation) for d in differences if d.estimate.deviation is not None]
    if not known:
        return None
    s_d = median(deviation / math.sqrt(2 * gammaincinv(df / 2, 0.5) / df) for df, deviation in known)
    several = f"median of {len(known)} comparisons" if len(known) > 1 else "comparison"
    return Noise(float(s_d), sum(df + 1 for df, _ in known), f"{several} with the baseline") if s_d else None


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
            (target, metric): Noise(_positive(found["s_d"]), int(found["n"]), f"calibration over {found['n']} re-seeded pairs")
            for target, metrics in table.items()
            for metric, found in metrics.items()
            if found["s_d"] != 0
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shape = '{"schema": "ftbench.calibration/1", "noise": {"target": {"metric": {"s_d": 0.008, "n": 10}}}}'
        raise RunError(f"{path}: not a calibration, {shape}: {type(error).__name__} {error}; take it away to do without") from None


def _positive(value: float) -> float:
    if not 0 < float(value) < math.inf:
        raise ValueError(f"s_d must be above 0, got {value!r}")
    return float(value)
