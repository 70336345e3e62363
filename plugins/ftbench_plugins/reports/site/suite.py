"""Compute the tables of a suite's page: its leaderboard and its runs, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench.reporting import interval_shown

from ..charts import mean
from ..columns import COSTS
from .data_tables import DataTable
from .dates import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench.reporting import Contender, Group, PublishedRun, TaskColumn

    from .data_tables import Value


def board_table(stem: str, group: Group) -> DataTable:
    """Return the rows of the leaderboard, best first, then those without a score."""
    there = {name for target in group.summary.targets for c in target.contenders for name in c.quantities}
    costs = [column.name for column in COSTS if column.name in there]
    headings = ("task", "strategy", "backbone", "family", "metric", "unit", "best_rank", "worst_rank")
    scores = ("score", "low", "high", "could_be_the_best", "take", "baseline", "difference", "verdict", "p_adjusted")
    rows = [
        (
            *_values(group, target, contender),
            *(mean(contender, name) for name in costs),
            group.sources[contender.strategy],
        )
        for target in group.summary.targets
        for contender in target.contenders
    ]
    return DataTable(stem, (*headings, *scores, "trials_ok", "trials_without_a_score", *costs, "run"), tuple(rows))


def runs_table(stem: str, runs: Sequence[PublishedRun]) -> DataTable:
    """Return runs with their bundles."""
    headings = ("run", "suite", "finished", "ftbench", "device", "seeds", "trials_ok", "trials_without_a_score")
    rows = tuple(
        (
            run.name,
            run.suite,
            iso(run.finished),
            run.harness or None,
            run.fingerprint.device,
            ", ".join(map(str, run.summary.seeds)),
            run.summary.statuses.get("ok", 0),
            sum(run.summary.statuses.values()) - run.summary.statuses.get("ok", 0),
            run.rerun.by if run.rerun else None,
            run.bundle,
            run.size,
            run.sha256,
        )
        for run in runs
    )
    return DataTable(stem, (*headings, "rerun_by", "bundle", "bytes", "sha256"), rows)


def _values(group: Group, target: TaskColumn, contender: Contender) -> tuple[Value, ...]:
    against, label = contender.against_baseline, contender.label
    found = interval_shown(target.answer, contender, target.primary)
    score = mean(contender, target.primary)
    return (
        target.label,
        contender.strategy,
        contender.backbone,
        contender.family,
        target.primary,
        target.unit,
        *group.places[target.label].get(label, (None, None)),
        score,
        found.low if found else None,
        found.high if found else None,
        label in target.answer.possible if target.answer.decided and score is not None else None,
        label == target.answer.pick and target.answer.decided,
        target.baseline,
        against.estimate.mean if against else None,
        against.verdict if against else None,
        contender.p_adjusted,
        contender.statuses.get("ok", 0),
        sum(contender.statuses.values()) - contender.statuses.get("ok", 0),
    )
