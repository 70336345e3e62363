"""Aggregate the records of a task column into contenders, over seeds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.measurement import charged_training
from ..errors import RunError
from ..stats.estimates import Estimate, Interval, estimate
from ..stats.intervals import interval_of, moderated_estimates
from ..stats.item_scores import Items, interval_over_items
from .contender import Contender, LossPoint, Quantity, item_count
from .differences import range_of_quantity
from .metric_tiers import range_of, tier_of
from .score_step import step_of_contenders
from .task_column import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..api.measurement import Measurement
    from ..records.record import Curve, Record


TOTALLED = ("energy", "train_energy", "cost", "emissions")
"""Measurements of consumed resources, which are also summed over trials, failed ones included."""


def contenders_of(records: Sequence[Record], read: Callable[[Record], Items | str] | None = None) -> list[Contender]:
    """Return the contenders of one task column, one for each strategy and backbone.

    Args:
        records: records of one task column.
        read: see `ftbench.analysis.summary.summarise`.
    """
    found = [_contender(name, group, read or _not_read) for name, group in grouped(records).items()]
    return [_with_new_items(contender, records[0].primary) for contender in _moderated(found)]


def _not_read(record: Record) -> str:
    del record
    return "the predictions were not read"


def _contender(label: str, records: Sequence[Record], read: Callable[[Record], Items | str]) -> Contender:
    done = [record for record in records if record.status == "ok"]
    trial = records[0].trial
    tasks = [stage["task"]["label"] for stage in trial["stages"]]
    confusion: dict[str, tuple[tuple[int, ...], ...]] = {}
    for record in done:
        for task, matrix in record.confusion.items():
            before = confusion.get(task)
            confusion[task] = _add_matrices(before, matrix) if before else matrix
    phases: dict[str, list[float]] = defaultdict(list)
    for record in done:
        for phase in record.phases:
            phases[phase.name].append(phase.seconds)
    items = {record.trial["seed"]: read(record) for record in done}
    known = {seed: found for seed, found in items.items() if isinstance(found, Items)}
    unknown = next((found for found in items.values() if isinstance(found, str)), "")
    quantities = _with_totals(_quantities(done, ""), records)
    return Contender(
        label=label,
        strategy=trial["strategy"]["label"],
        use=trial["strategy"]["use"],
        settings=_settings(trial),
        backbone=trial["backbone"]["label"],
        statuses=dict(Counter(record.status for record in records)),
        quantities=quantities,
        by_task={task: _quantities(done, task) for task in tasks} if len(tasks) > 1 else {},
        lr=trial["stages"][-1]["training"]["lr"],
        learning=_loss_curves(curve for record in done for curve in record.curves),
        confusion=confusion,
        phases={name: estimate(values) for name, values in phases.items()},
        retention=_retention(done),
        items=known,
        unknown_items=unknown,
        is_reference=bool(done) and all(record.is_untrained for record in done),
    )


def _moderated(contenders: Sequence[Contender]) -> list[Contender]:
    """Return contenders whose scores have intervals from the variance of all contenders.

    References have their own variance.
    """
    found = list(contenders)
    names = dict.fromkeys((task, name) for c in found for task, name in _score_names(c))
    for task, name in names:
        places = [
            place
            for place, c in enumerate(found)
            if (q := _quantities_of(c, task).get(name)) is not None and q.by_seed and not (c.is_reference or c.apart)
        ]
        own = [_quantities_of(found[place], task)[name] for place in places]
        step = step_of_contenders([found[place] for place in places], name) if not task else 0.0
        estimates = moderated_estimates([list(quantity.by_seed.values()) for quantity in own], step)
        for place, quantity, one in zip(places, own, estimates, strict=True):
            _quantities_of(found[place], task)[name] = replace(
                quantity, estimate=_with_ends(one, quantity, found[place])
            )
    return found


def _quantities_of(contender: Contender, task: str) -> dict[str, Quantity]:
    found = contender.by_task[task] if task else contender.quantities
    assert isinstance(found, dict)
    return found


def _score_names(contender: Contender) -> Iterator[tuple[str, str]]:
    for task, quantities in (("", contender.quantities), *contender.by_task.items()):
        for name, quantity in quantities.items():
            if quantity.by_seed and task in ("", *contender.by_task) and tier_of(name, quantity) == "quality":
                yield task, name


def _with_ends(found: Estimate, quantity: Quantity, contender: Contender | None = None) -> Estimate:
    """Return an estimate with the ends of its interval, inside the range of the quantity."""
    items = item_count(contender, quantity.name) if contender is not None else 0
    interval = interval_of(found, range_of_quantity(quantity), items=items)
    return found if interval is None else replace(found, low=interval.low, high=interval.high)


def _settings(trial: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of strategy, backbone and training, with the names used in a suite."""
    parts = {name: {"use": trial[name]["use"], **trial[name]["options"]} for name in ("strategy", "backbone")}
    training = trial["stages"][-1]["training"]
    return {
        f"{part}.{name}": json.dumps(value, sort_keys=True, ensure_ascii=False)
        for part, values in {**parts, "training": training}.items()
        for name, value in values.items()
    }


def _with_new_items(contender: Contender, primary: str) -> Contender:
    """Return the contender with the primary score's interval over new test items."""
    found, unknown = contender.quantities.get(primary), contender.unknown_items
    if found is None or found.estimate is None:
        return contender
    over: Interval | str = unknown
    if not unknown and set(found.by_seed) <= set(contender.items):
        items = [contender.items[seed] for seed in found.by_seed]
        over = interval_over_items(found.estimate, items, range_of_quantity(found))
    known = replace(found, unknown=over) if isinstance(over, str) else replace(found, new_items=over)
    return replace(contender, quantities={**contender.quantities, primary: known})


def _loss_curves(curves: Iterable[Curve]) -> dict[str, tuple[LossPoint, ...]]:
    by_task: dict[str, list[Curve]] = defaultdict(list)
    for curve in curves:
        by_task[curve.task].append(curve)
    return {task: tuple(_loss_points(found)) for task, found in by_task.items()}


def _loss_points(curves: Sequence[Curve]) -> Iterator[LossPoint]:
    """Yield the loss at each step that any curve has, over the curves that have it."""
    steps = [curve.points.column("step") for curve in curves]
    if any(own != steps[0] for own in steps[1:]):
        yield from _uneven_loss_points(curves)
        return
    losses, seconds = (
        np.array([curve.points.column(name) for curve in curves], float) for name in ("task_loss", "seconds")
    )
    columns = (losses.mean(0), losses.min(0), losses.max(0), seconds.mean(0))
    yield from map(LossPoint, steps[0], *(column.tolist() for column in columns))


def _uneven_loss_points(curves: Sequence[Curve]) -> Iterator[LossPoint]:
    """Yield the loss at each step, over the curves that have it."""
    reached: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for curve in curves:
        columns = (curve.points.column(name) for name in ("step", "task_loss", "seconds"))
        for step, loss, seconds in zip(*columns, strict=True):
            reached[step].append((loss, seconds))
    for step in sorted(reached):
        losses, seconds = np.array(reached[step], float).T
        yield LossPoint(step, *(float(one) for one in (losses.mean(), losses.min(), losses.max(), seconds.mean())))


def _retention(records: Sequence[Record]) -> tuple[tuple[Estimate | None, ...], ...]:
    """Return the score of each task after each stage of a sequence, over seeds; None if a seed lacks it."""
    matrices = [record.retention.matrix for record in records if record.retention is not None]
    if not matrices or len({tuple(map(len, matrix)) for matrix in matrices}) > 1:
        return ()
    cells = [[[matrix[i][j] for matrix in matrices] for j in range(len(row))] for i, row in enumerate(matrices[0])]
    primary = next((found for record in records if (found := record.measurement(record.primary))), None)
    unit, direction = (primary.unit, primary.direction) if primary else ("1", "higher")
    return tuple(tuple(_estimate_if_complete(values, unit, direction) for values in row) for row in cells)


def _estimate_if_complete(values: Sequence[float | None], unit: str, direction: str) -> Estimate | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    found = estimate(known)
    interval = interval_of(found, range_of("", unit, direction, known))
    return found if interval is None else replace(found, low=interval.low, high=interval.high)


def _add_matrices(one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Return the sum of two confusion matrices.

    Raises:
        RunError: if they differ in the number of classes.
    """
    if len(one) != len(other):
        raise RunError(f"records of one strategy on one task have {len(one)} and {len(other)} classes")
    return tuple(tuple(a + b for a, b in zip(row, more, strict=True)) for row, more in zip(one, other, strict=True))


def _quantities(records: Sequence[Record], task: str) -> dict[str, Quantity]:
    readings: dict[str, list[tuple[int, Measurement]]] = defaultdict(list)
    for record in records:
        seed = record.trial["seed"]
        charged = charged_training(record.measurements, record.phases, record.shared)
        for measurement in (*record.measurements, *charged):
            if measurement.task == task:
                readings[measurement.name].append((seed, measurement))
    return {name: _quantity(name, found) for name, found in readings.items()}


def _with_totals(quantities: dict[str, Quantity], records: Sequence[Record]) -> dict[str, Quantity]:
    """Return the quantities with the totals of consumed resources over all trials that ran."""
    run = [record for record in records if record.status not in ("not-applicable", "skipped")]
    for name in TOTALLED:
        values = [found.value if (found := record.measurement(name)) else None for record in run]
        known = [value for value in values if value is not None]
        if name in quantities and known and len(known) == len(values):
            quantities[name] = replace(quantities[name], total=sum(known))
    return quantities


def _quantity(name: str, readings: Sequence[tuple[int, Measurement]]) -> Quantity:
    values = {seed: m.value for seed, m in readings if m.value is not None}
    example = next((m for _, m in readings if m.value is not None), readings[0][1])
    found = Quantity(
        name=name,
        unit=example.unit,
        direction=example.direction,
        method=example.method,
        estimate=estimate(list(values.values())) if values else None,
        reason=None if values else example.reason,
        flags=tuple(sorted(set().union(*(m.flags for _, m in readings if m.flags)))),
        by_seed=values,
        scope=example.scope,
    )
    return found if found.estimate is None else replace(found, estimate=_with_ends(found.estimate, found))
