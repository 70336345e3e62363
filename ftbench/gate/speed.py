"""Throughput of trials that were run in turn, pair by pair, in one job."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis.metric_tiers import SPEED
from ..api.measurement import disturbances
from ..formatting import quantity
from ..stats.estimates import estimate
from ..stats.noninferiority import loss_p, said
from .checks import Check
from .formats import counted, signed_percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..records.record import Record
    from ..records.record_set import Place, RecordSet
    from ..suite.suite import Gate


def hold_speed(head: RecordSet, base: RecordSet, gate: Gate) -> list[Check]:
    """Judge log ratios of throughput over pairs of trials that were run one after the other.

    Slower where the one-sided t-test says so at `slowdown_alpha` and the mean is beyond log(1 − slowdown). What the machine does
    slowly is common to both trials of a pair; a threshold on separate jobs calls a quarter of them slower for nothing.

    Args:
        head: the run.
        base: the baseline, of the same job.
        gate: margins and levels.
    """
    places = sorted({*head.records} & {*base.records})
    return [check for place in places for name in SPEED for check in _judged(place, name, head, base, gate)]


def _judged(place: Place, name: str, head: RecordSet, base: RecordSet, gate: Gate) -> Iterator[Check]:
    one, other = head.records[place], base.records[place]
    seeds = tuple(seed for seed in sorted({*one} & {*other}) if one[seed].status == other[seed].status == "ok")
    if not seeds:
        return
    read = [(_value(other[seed], name), _value(one[seed], name)) for seed in seeds]
    known = [(before, after) for before, after in read if before and after]
    readings = [
        found for seed in seeds for found in (other[seed].measurement(name), one[seed].measurement(name)) if found
    ]
    check = Check("inconclusive", place, name, "speed", "", seeds=seeds)
    if len(known) < len(read):
        one_sided = any((before is None) != (after is None) for before, after in read)
        yield replace(
            check,
            verdict="missing" if one_sided else "inconclusive",
            message=f"was not measured: {_reason(one[seeds[0]], name) or _reason(other[seeds[0]], name)}",
        )
        return
    if causes := disturbances(*readings):
        yield replace(check, message=f"the device was not itself: {', '.join(causes)}")
        return
    logs = estimate([math.log(after / before) for before, after in known])
    reading = one[seeds[0]].measurement(name)
    assert reading is not None
    before, after = (math.exp(sum(math.log(pair[side]) for pair in known) / len(known)) for side in (0, 1))
    ends = (
        f" [{signed_percent(math.expm1(logs.low))}, {signed_percent(math.expm1(logs.high))}]"
        if logs.low is not None and logs.high is not None
        else ""
    )
    p = loss_p(logs)
    message = (
        f"{quantity(before, reading.unit)} → {quantity(after, reading.unit)}, {signed_percent(math.expm1(logs.mean))}{ends} over "
        f"{counted(logs.n, 'pair')} run in turn{f', p {p:.2g}' if p is not None else ''}, margin {100 * gate.slowdown:g} %"
    )
    if len(known) < gate.pairs:
        yield replace(check, message=f"{message}; {gate.pairs} are needed to say anything")
        return
    verdict = said(logs, p, -math.log1p(-gate.slowdown), gate.slowdown_alpha)
    yield replace(
        check,
        verdict=verdict,
        message=message,
        before=tuple(pair[0] for pair in known),
        after=tuple(pair[1] for pair in known),
    )


def _value(record: Record, name: str) -> float | None:
    found = record.measurement(name)
    return None if found is None else found.value


def _reason(record: Record, name: str) -> str | None:
    found = record.measurement(name)
    return "no meter gives it" if found is None else found.reason
