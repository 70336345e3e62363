"""Summarise the records of a tuning into what reports show of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...records.tries import training_seconds, tried_of
from ...stats.aggregates import expected_best
from ...stats.multiplicity import corrected
from ...suite.search import best_of, edge
from ...suite.search_space import RATE, Space, read_domain
from ..aggregation import contenders_of
from ..contender import score
from ..differences import differences
from .tuned import Spent, Tuned, TuningTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...records.record import Record
    from ...stats.estimates import Difference
    from ...stats.item_scores import Items
    from ...suite.search import Tried
    from ..contender import Contender
    from ..summary import Summary
    from ..task_column import TaskColumn

    ConfigurationKey = tuple[str, str, str]
    Searches = Mapping[ConfigurationKey, Mapping[str, Any]]
    """Task column, backbone and strategy → its search: `search`, `budget`, `metric`, `space`, `untuned`."""


def searches_of(
    records: Sequence[Record], noted: Sequence[Mapping[str, Any]] = ()
) -> dict[ConfigurationKey, Mapping[str, Any]]:
    """Return the search of each strategy: from the last plan, or else from the records of its tuning trials.

    Args:
        records: records of the tuning.
        noted: searches listed in the plan; see `ftbench.records.run_files.read_plan`.
    """
    from_trials: dict[ConfigurationKey, Mapping[str, Any]] = {
        configuration_of(record): record.trial["choice"] for record in records if record.trial.get("role") == "try"
    }
    return from_trials | {(one["place"][0], one["place"][1], one["place"][2]): one for one in noted}


def budgets_of(searches: Searches) -> dict[ConfigurationKey, str]:
    """Return the tuning budget of each strategy, in words."""
    return {key: one["budget"] for key, one in searches.items()}


def with_tuning(
    summary: Summary, records: Sequence[Record], searches: Searches, read: Callable[[Record], Items | str] | None = None
) -> Summary:
    """Return a summary with the results of tuning added.

    Args:
        summary: summary of the compared trials.
        records: records of the tuning trials and of the trials with untuned values.
        searches: searches of the strategies; see `searches_of`.
        read: see `ftbench.analysis.summary.summarise`.
    """
    tries: dict[ConfigurationKey, list[Record]] = defaultdict(list)
    untuned: dict[ConfigurationKey, list[Record]] = defaultdict(list)
    for record in records:
        (tries if record.trial.get("role") == "try" else untuned)[configuration_of(record)].append(record)
    found: list[Tuned] = []
    for target in summary.targets:
        own = {
            c.label: _tuned(target, c, tries[key], searches[key])
            for c in target.contenders
            if (key := (target.label, c.backbone, c.strategy)) in tries
        }
        order = [label for label in summary.strategies if label in own]
        found += _with_test_changes(target, [own[label] for label in order], untuned, read)
    return replace(summary, tuning=tuple(found))


def configuration_of(record: Record) -> ConfigurationKey:
    """Return task column, backbone and strategy of a record."""
    trial = record.trial
    return trial["target"], trial["backbone"]["label"], trial["strategy"]["label"]


def _tuned(target: TaskColumn, contender: Contender, records: Sequence[Record], choice: Mapping[str, Any]) -> Tuned:
    metric = choice["metric"] or records[0].primary
    space = Space({name: read_domain(domain) for name, domain in choice["space"].items()}, dict(choice["untuned"]))
    points: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        points[repr(sorted(record.trial["values"].items()))].append(record)
    tried = {key: tried_of(dict(own[0].trial["values"]), own, choice["metric"]) for key, own in points.items()}
    known = list(tried.values())
    best, side = best_of(known), edge(known, space)
    reading = next((m for record in records if (m := record.measurement(metric)) and record.status == "ok"), None)
    sign = -1 if reading and reading.direction == "lower" else 1
    scores = [one.score for one in known if one.score is not None]
    before = next((one.score for one in known if one.point == space.default), None)
    median = float(np.median([-np.inf if one.score is None else one.score for one in known]))
    listed = [_tuning_trial(tried[key], own, sign) for key, own in points.items()]
    return Tuned(
        target=target.label,
        contender=contender.label,
        strategy=contender.strategy,
        backbone=contender.backbone,
        search=choice["search"],
        budget=choice["budget"],
        metric=metric,
        unit=reading.unit if reading else "1",
        lower=sign < 0,
        tries=tuple(sorted(listed, key=lambda one: one.values[RATE])),
        untuned=space.default,
        chosen=best.point if best else None,
        best=sign * best.score if best and best.score is not None else None,
        untuned_score=None if before is None else sign * before,
        median=sign * median if np.isfinite(median) else None,
        expected=tuple(sign * expected_best(scores, count) for count in range(1, len(scores) + 1)),
        edge=side,
        seconds=_total(records, "wall_time", "s"),
        training=sum(training_seconds(record) for record in records),
        energy=_total(records, "energy", "J"),
        money=_total(records, "cost", ""),
        flags=tuple(_flags(best, side, records)),
    )


def _tuning_trial(tried: Tried, records: Sequence[Record], sign: int) -> TuningTrial:
    failed = next((record for record in records if record.status != "ok"), None)
    message = failed.failure.message if failed and failed.failure else ""
    value = None if tried.score is None else sign * tried.score
    return TuningTrial(tried.point, value, failed.status if failed else "ok", message)


def _flags(best: Tried | None, side: str, records: Sequence[Record]) -> list[str]:
    found = []
    if best is None:
        found.append("no tuning trial has a score: the untuned values are used")
    if side:
        found.append(f"the chosen learning rate is at the {side} end of its range")
    failed = sum(record.status not in ("ok", "skipped") for record in records)
    if failed:
        found.append(f"{failed} of {len(records)} tuning trials failed")
    return found


def _total(records: Sequence[Record], name: str, unit: str) -> Spent:
    """Return the sum of a measurement over all tuning trials; it has no value if one of them has none."""
    readings = [record.measurement(name) for record in records]
    values = [reading.value for reading in readings if reading is not None and reading.value is not None]
    shown = next((reading.unit for reading in readings if reading), unit)
    if len(values) < len(records):
        reason = next((reading.reason for reading in readings if reading and reading.reason), None)
        return Spent(None, shown, reason or "no meter measures it; see measure.meters")
    return Spent(float(sum(values)), shown)


# ---- tuned against untuned -----------------------------------------------------------------------------------------


def _with_test_changes(
    target: TaskColumn,
    found: Sequence[Tuned],
    untuned: Mapping[ConfigurationKey, Sequence[Record]],
    read: Callable[[Record], Items | str] | None,
) -> list[Tuned]:
    """Return tuning results with the comparison of tuned and untuned values on the test split."""
    contenders = {c.label: c for c in target.contenders}
    primary = target.primary
    before: dict[str, Contender] = {}
    for one in found:
        after = contenders[one.contender]
        records = untuned.get((target.label, after.backbone, after.strategy), ())
        if records:
            before[one.contender] = contenders_of(records, read)[0]
        elif one.chosen is not None and dict(one.chosen) == dict(one.untuned):
            before[one.contender] = after
    changed = [(earlier, contenders[label]) for label, earlier in before.items() if earlier is not contenders[label]]
    judged = zip(changed, differences(changed, primary, target.margin, list(contenders.values())), strict=True)
    pairs: dict[tuple[str, str], Difference] = {
        ("untuned", after.label): one for (_, after), one in judged if one is not None
    }
    changes: dict[str, Any] = {comparison.second: comparison.difference for comparison in corrected(pairs)}
    lower = any(c.quantities[primary].direction == "lower" for c in target.contenders if primary in c.quantities)
    return [
        replace(
            one,
            untuned_test=_estimate_of(before.get(one.contender), primary),
            tuned_test=_estimate_of(contenders[one.contender], primary),
            change=changes.get(one.contender),
            test_unit=target.unit,
            test_lower=lower,
        )
        for one in found
    ]


def _estimate_of(contender: Contender | None, name: str) -> Any:
    return contender.quantities[name].estimate if contender is not None and score(contender, name) is not None else None
