"""Check the throughput of trials that alternated, pair by pair, in one job."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis.metric_tiers import SPEED
from ..analysis.wording import percent_change
from ..api.measurement import disturbances
from ..formatting import quantity
from ..stats.estimates import estimate
from ..stats.noninferiority import loss_p, said
from .checks import Check
from .formats import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..records.record import Record
    from ..records.record_set import Place, RecordSet
    from ..suite.suite import Gate


def check_speed(head: RecordSet, base: RecordSet, gate: Gate) -> list[Check]:
    """Judge log ratios of throughput over pairs of trials that ran one after the other.

    A configuration is slower if the one-sided t-test is significant at `slowdown_alpha` and the mean is below log(1
    − slowdown). Slow drifts of the machine affect both trials of a pair; a threshold on separate jobs would call a
    quarter of them slower by mistake.

    Args:
        head: the run.
        base: the baseline, of the same job.
        gate: margins and significance levels.
    """
    places = sorted({*head.records} & {*base.records})
    return [check for place in places for name in SPEED for check in _judge(place, name, head, base, gate)]


def _judge(place: Place, name: str, head: RecordSet, base: RecordSet, gate: Gate) -> Iterator[Check]:
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
        yield replace(check, message=f"the device was disturbed: {', '.join(causes)}")
        return
    logs = estimate([math.log(after / before) for before, after in known])
    reading = one[seeds[0]].measurement(name)
    assert reading is not None
    before, after = (math.exp(sum(math.log(pair[side]) for pair in known) / len(known)) for side in (0, 1))
    ends = (
        f" [{percent_change(math.expm1(logs.low))}, {percent_change(math.expm1(logs.high))}]"
        if logs.low is not None and logs.high is not None
        else ""
    )
    p = loss_p(logs)
    change = percent_change(math.expm1(logs.mean))
    message = (
        f"{quantity(before, reading.unit)} → {quantity(after, reading.unit)}, {change}{ends} "
        f"over {count_text(logs.n, 'pair')} run in turn{f', p {p:.2g}' if p is not None else ''}, "
        f"margin {100 * gate.slowdown:g} %"
    )
    if len(known) < gate.pairs:
        yield replace(check, message=f"{message}; a verdict needs at least {gate.pairs}")
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
    return "no meter measures it" if found is None else found.reason
