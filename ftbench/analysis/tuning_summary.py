"""Records of a tuning → what every report shows of it, computed once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records.tries import training_seconds, tried_of
from ..stats.aggregates import expected_best
from ..stats.multiplicity import corrected
from ..suite.search import best_of, edge
from ..suite.search_space import RATE, Space, read_domain
from .contender import difference, score
from .summary import contenders_of
from .tuning import Spent, Tuned, TuningTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..records.record import Record
    from ..stats.estimates import Difference
    from ..stats.item_scores import Items
    from ..suite.search import Tried
    from .contender import Contender
    from .summary import Summary
    from .task_column import TaskColumn

    Place = tuple[str, str, str]
    Searches = Mapping[Place, Mapping[str, Any]]
    """Target, backbone and strategy → what is searched for it: `search`, `budget`, `metric`, `space`, `untuned`."""


def searches_of(records: Sequence[Record], noted: Sequence[Mapping[str, Any]] = ()) -> dict[Place, Mapping[str, Any]]:
    """Give what was searched for each strategy: what the last plan notes, else what the tries themselves say.

    Args:
        records: of the tuning.
        noted: of the plan; see `ftbench.records.store.read_searches`.
    """
    told: dict[Place, Mapping[str, Any]] = {
        _place(record): record.trial["choice"] for record in records if record.trial.get("role") == "try"
    }
    return told | {(one["place"][0], one["place"][1], one["place"][2]): one for one in noted}


def budgets_of(searches: Searches) -> dict[Place, str]:
    """Give what each strategy was tuned with."""
    return {place: one["budget"] for place, one in searches.items()}


def with_tuning(
    summary: Summary, records: Sequence[Record], searches: Searches, read: Callable[[Record], Items | str] | None = None
) -> Summary:
    """Add what was tuned to the summary of what is compared.

    Args:
        summary: of the trials that count.
        records: of the tries, and of the untuned values.
        searches: what was searched; see `searches_of`.
        read: see `ftbench.analysis.summary.summarise`.
    """
    tries: dict[Place, list[Record]] = defaultdict(list)
    untuned: dict[Place, list[Record]] = defaultdict(list)
    for record in records:
        (tries if record.trial.get("role") == "try" else untuned)[_place(record)].append(record)
    found: list[Tuned] = []
    for target in summary.targets:
        own = {
            c.label: _tuned(target, c, tries[place], searches[place])
            for c in target.contenders
            if (place := (target.label, c.backbone, c.strategy)) in tries
        }
        order = [label for label in summary.strategies if label in own]
        found += _changed(target, [own[label] for label in order], untuned, read)
    return replace(summary, tuning=tuple(found))


def _place(record: Record) -> Place:
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
    listed = [_try(tried[key], own, sign) for key, own in points.items()]
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
        seconds=_spent(records, "wall_time", "s"),
        training=sum(training_seconds(record) for record in records),
        energy=_spent(records, "energy", "J"),
        money=_spent(records, "cost", ""),
        flags=tuple(_flags(best, side, records)),
    )


def _try(tried: Tried, records: Sequence[Record], sign: int) -> TuningTrial:
    failed = next((record for record in records if record.status != "ok"), None)
    message = failed.failure.message if failed and failed.failure else ""
    value = None if tried.score is None else sign * tried.score
    return TuningTrial(tried.point, value, failed.status if failed else "ok", message)


def _flags(best: Tried | None, side: str, records: Sequence[Record]) -> list[str]:
    found = []
    if best is None:
        found.append("no try has a score: the values are the untuned ones")
    if side:
        found.append(f"the chosen learning rate lies at the {side} end of its range")
    failed = sum(record.status not in ("ok", "skipped") for record in records)
    if failed:
        found.append(f"{failed} of {len(records)} tries failed")
    return found


def _spent(records: Sequence[Record], name: str, unit: str) -> Spent:
    """Add a measurement up over all tries; where one has no value the sum has none."""
    readings = [record.measurement(name) for record in records]
    values = [reading.value for reading in readings if reading is not None and reading.value is not None]
    shown = next((reading.unit for reading in readings if reading), unit)
    if len(values) < len(records):
        reason = next((reading.reason for reading in readings if reading and reading.reason), None)
        return Spent(None, shown, reason or "no meter gives it; see measure.meters")
    return Spent(float(sum(values)), shown)


# ---- what it changed ---------------------------------------------------------------------------------------------------------


def _changed(
    target: TaskColumn,
    found: Sequence[Tuned],
    untuned: Mapping[Place, Sequence[Record]],
    read: Callable[[Record], Items | str] | None,
) -> list[Tuned]:
    """Hold what was tuned against the untuned values, on the test split."""
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
    pairs: dict[tuple[str, str], Difference] = {}
    for label, earlier in before.items():
        one_more = (
            difference(earlier, contenders[label], primary, target.margin) if earlier is not contenders[label] else None
        )
        if one_more is not None:
            pairs["untuned", label] = one_more
    changes: dict[str, Any] = {comparison.second: comparison.difference for comparison in corrected(pairs)}
    lower = any(c.quantities[primary].direction == "lower" for c in target.contenders if primary in c.quantities)
    return [
        replace(
            one,
            untuned_test=_estimate(before.get(one.contender), primary),
            tuned_test=_estimate(contenders[one.contender], primary),
            change=changes.get(one.contender),
            test_unit=target.unit,
            test_lower=lower,
        )
        for one in found
    ]


def _estimate(contender: Contender | None, name: str) -> Any:
    return contender.quantities[name].estimate if contender is not None and score(contender, name) is not None else None
