"""A run held against a baseline, tier by tier: exact figures, scores, allocated memory; what is missing is never a pass."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.metric_tiers import MEMORY, SPEED, TRACE, exact_values, loss_trace, needed, repeats, tier_of
from ..errors import RunError
from ..records.accepted_changes import Step
from ..records.comparability import PARTS, differences, without
from ..stats.estimates import CLAIM, estimate, paired_differences
from ..stats.multiplicity import adjusted
from ..stats.noninferiority import loss_p, said
from .checks import TRIALS, Check
from .formats import counted, figure, moved, parting, seeds_named, sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.metric_tiers import Tier
    from ..api.measurement import Measurement
    from ..records.comparability import Difference, Part
    from ..records.record import Record
    from ..records.record_set import Place, RecordSet
    from ..stats.estimates import Estimate
    from ..suite.suite import Gate
    from .formats import Value


class Pair(NamedTuple):
    """Two finished trials of one place and seed."""

    seed: int
    head: Record
    base: Record


@dataclass(frozen=True)
class _Sample:
    """A score or a size of one place over its pairs."""

    place: Place
    metric: str
    unit: str
    margin: float
    base: tuple[float, ...]
    head: tuple[float, ...]
    gains: Estimate
    """Head less base (less an accepted step), turned so that more is better."""
    moved: str
    """Why the baseline was moved, where it was."""


def hold(head: RecordSet, base: RecordSet, gate: Gate, allowed: Sequence[str] = ()) -> list[Check]:
    """Hold a run against a baseline.

    Args:
        head: the run.
        base: the baseline.
        gate: margins and levels.
        allowed: fields that may differ, by dotted name; with each all that is below it.

    Raises:
        RunError: the two are of different suites, or there is nothing to compare.
    """
    if head.suite != base.suite:
        raise RunError(f"{base.source}: is a run of the suite {base.suite!r}, and {head.source} of {head.suite!r}")
    measured = {
        m.name
        for one in (head, base)
        for seeds in one.records.values()
        for record in seeds.values()
        for m in record.measurements
    }
    for name in gate.metrics:
        if name not in measured:
            raise RunError(
                f"gate.metrics: no trial of {head.source} or {base.source} has a measurement called {name!r}"
            )
    checks = list(_Holding(head, base, gate, tuple(allowed)).checks())
    if not any(check.held for check in checks):
        raise RunError(f"{head.source}: there is nothing to compare with {base.source}: no trial of either has a score")
    return checks


def undecided(checks: Sequence[Check]) -> set[Place]:
    """Give the places where more seeds could decide a score."""
    return {
        check.place for check in checks if check.verdict == "inconclusive" and check.tier == "quality" and check.held
    }


def accept(checks: Sequence[Check], base: RecordSet, reason: str) -> tuple[list[Check], list[Step]]:
    """Take what regressed or is missing for a deliberate step; gives the checks as they are then, and the baseline's steps."""
    steps, found = list(base.accepted), []
    for check in checks:
        if check.held and check.verdict in ("regressed", "missing"):
            place = check.place
            steps.append(
                Step(
                    reason,
                    place.target,
                    place.backbone,
                    place.strategy,
                    check.metric,
                    check.task,
                    seeds=check.seeds,
                    before=check.before,
                    after=check.after,
                )
            )
            found.append(replace(check, verdict="accepted", message=f"{check.message}; accepted: {reason}"))
        else:
            found.append(check)
    return found, steps


class _Holding:
    def __init__(self, head: RecordSet, base: RecordSet, gate: Gate, allowed: tuple[str, ...]) -> None:
        self.head, self.base, self.gate, self.allowed = head, base, gate, allowed
        self.steps = {step.key: step for step in base.accepted}
        self.differing: dict[Place, list[Difference]] = {}

    def checks(self) -> Iterator[Check]:
        places = sorted({*self.head.records, *self.base.records, *(place for place, _ in self.head.unfinished)})
        samples: list[_Sample] = []
        for place in places:
            yield from self._trials(place)
            if not self.pairs[place]:
                continue
            yield from self._exact(place)
            yield from self._trace(place)
            for name in self._scores(place):
                check = self._comparable(place, name) or self._measured(place, name, samples)
                if check is not None:
                    yield check
            for name in MEMORY:
                if self._somewhere(place, name):
                    yield self._comparable(place, name) or self._memory(place, name)
            yield from self._speed(place)
        yield from self._judged(samples)

    @cached_property
    def pairs(self) -> dict[Place, list[Pair]]:
        found: dict[Place, list[Pair]] = defaultdict(list)
        for place, records in self.head.records.items():
            others = self.base.records.get(place, {})
            both = [Pair(seed, records[seed], others[seed]) for seed in sorted({*records} & {*others})]
            found[place] = [pair for pair in both if pair.head.status == pair.base.status == "ok"]
        return found

    # -- what is there -------------------------------------------------------------------------------------------------------

    def _trials(self, place: Place) -> Iterator[Check]:
        """Say which trials are missing."""
        for message in self._missing(place):
            step = self.steps.get((*_names(place), TRIALS, ""))
            if step is not None:
                yield Check("accepted", place, TRIALS, "exact", f"{message}; accepted: {step.reason}")
            else:
                yield Check("missing", place, TRIALS, "exact", message)

    def _missing(self, place: Place) -> Iterator[str]:
        head, base = self.head.records.get(place, {}), self.base.records.get(place, {})
        unfinished = sorted(seed for other, seed in self.head.unfinished if other == place)
        if unfinished:
            yield f"{_unfinished(unfinished)} in {self.head.source}: the run is not finished"
        awaited = sorted(seed for other, seed in self.base.unfinished if other == place and seed in head)
        if awaited:
            yield f"{_unfinished(awaited)} in the baseline {self.base.source}: it is not finished"
        if not base:
            yield f"is in {self.head.source} and not in the baseline {self.base.source}"
        elif not head and not unfinished:
            yield f"is in the baseline {self.base.source} and not in {self.head.source}"
        for seed in sorted({*head} & {*base}):
            one, other = head[seed], base[seed]
            if one.status == other.status == "ok" or one.status == other.status == "not-applicable":
                continue
            failed = one if one.status != "ok" else other
            whose = self.head.source if failed is one else f"the baseline {self.base.source}"
            yield f"seed {seed} of {whose}: {failed.status}: {failed.failure.message if failed.failure else 'no reason given'}"
        if head and base and not {*head} & {*base}:
            yield f"no seed in common: {seeds_named(sorted(head))} here, {seeds_named(sorted(base))} in the baseline {self.base.source}"

    def _somewhere(self, place: Place, name: str) -> bool:
        return any(_value(record, name) is not None for pair in self.pairs[place] for record in (pair.head, pair.base))

    # -- what may be compared ------------------------------------------------------------------------------------------------

    def _differences(self, place: Place, parts: Sequence[Part]) -> list[Difference]:
        if place not in self.differing:
            self.differing[place] = without(
                differences((pair.base, pair.head) for pair in self.pairs[place]), self.allowed
            )
        return [one for one in self.differing[place] if one.part in parts]

    def _comparable(self, place: Place, name: str) -> Check | None:
        """Give None where a metric may be compared, else the check that says why not."""
        found = self._differences(place, needed(name))
        if not found:
            return None
        return Check("not comparable", place, name, tier_of(name), "; ".join(map(str, found)), seeds=self._seeds(place))

    def _seeds(self, place: Place) -> tuple[int, ...]:
        return tuple(pair.seed for pair in self.pairs[place])

    # -- exact figures -------------------------------------------------------------------------------------------------------

    def _exact(self, place: Place) -> Iterator[Check]:
        heads = [{(e.name, e.task): e for e in exact_values(pair.head)} for pair in self.pairs[place]]
        bases = [{(e.name, e.task): e for e in exact_values(pair.base)} for pair in self.pairs[place]]
        known = {key: e.unit for found in (*bases, *heads) for key, e in found.items()}
        for (name, task), unit in known.items():
            refusal = self._comparable(place, name)
            if refusal is not None:
                yield replace(refusal, task=task)
                continue
            before, after = (
                tuple(e[name, task].value if (name, task) in e else None for e in side) for side in (bases, heads)
            )
            check = Check("ok", place, name, "exact", "", task, self._seeds(place), before, after)
            yield self._equal(check, unit)

    def _equal(self, check: Check, unit: str) -> Check:
        """Compare a figure seed by seed with the baseline, or with what was accepted in its stead."""
        expected, reason = self._expected(check)
        wrong = [number for number, value in enumerate(check.after) if value != expected[number]]
        before, after = check.before[wrong[0] if wrong else 0], check.after[wrong[0] if wrong else 0]
        where = f"on {len(wrong)} of {counted(len(check.seeds), 'seed')}"
        if not wrong:
            shown = figure(after, unit) if isinstance(after, float) else "equal"
            message = (
                f"{moved(before, after, unit)}; accepted: {reason}"
                if reason
                else f"{shown} on {counted(len(check.seeds), 'seed')}"
            )
            return replace(check, message=message)
        if None in (before, after):
            return replace(check, verdict="missing", message=f"{moved(before, after, unit)} {where}")
        return replace(check, verdict="regressed", message=f"must be equal: {moved(before, after, unit)} {where}")

    def _expected(self, check: Check) -> tuple[tuple[Value, ...], str]:
        """Give what an exact figure must be on each seed, and why that is not what the baseline has, where it is not."""
        step = self.steps.get((*_names(check.place), check.metric, check.task))
        if step is None or not step.has_values:
            return check.before, ""
        steps = dict(zip(step.seeds, zip(step.before, step.after, strict=True), strict=True))
        everywhere = set(steps.values())
        known = [
            steps.get(seed, (base, base) if len(everywhere) > 1 else next(iter(everywhere)))
            for seed, base in zip(check.seeds, check.before, strict=True)
        ]
        if any(base != before for (before, _), base in zip(known, check.before, strict=True)):
            return check.before, ""
        return tuple(after for _, after in known), step.reason

    def _trace(self, place: Place) -> Iterator[Check]:
        """Compare training losses bit by bit, which only equal machines give."""
        if self._differences(place, PARTS) or not any(loss_trace(pair.head) for pair in self.pairs[place]):
            return
        check = Check("ok", place, TRACE, "trace", "equal at every point", seeds=self._seeds(place))
        for pair in self.pairs[place]:
            base, head = loss_trace(pair.base), loss_trace(pair.head)
            for task in dict.fromkeys([*base, *head]):
                one, other = base.get(task, ()), head.get(task, ())
                if one != other:
                    yield replace(check, verdict="changed", message=f"seed {pair.seed}, {task}: {parting(one, other)}")
                    return
        yield check

    # -- scores and sizes ----------------------------------------------------------------------------------------------------

    def _scores(self, place: Place) -> list[str]:
        """Name the scores that are held: the primary one, and of those asked for what the target has."""
        primary = self.pairs[place][0].head.primary
        asked = [name for name in self.gate.metrics if self._somewhere(place, name)]
        return list(dict.fromkeys([primary, *asked]))

    def _measured(self, place: Place, name: str, samples: list[_Sample]) -> Check | None:
        """Add a score to those that are judged together; gives a check where there is nothing to judge."""
        absent = [
            f"seed {pair.seed} of {self.head.source if whose == 'head' else self.base.source}"
            for pair in self.pairs[place]
            for whose in ("head", "base")
            if _value(getattr(pair, whose), name) is None
        ]
        if absent:
            return Check(
                "missing", place, name, "quality", f"has no value for {', '.join(absent[:4])}", seeds=self._seeds(place)
            )
        margin = self.gate.margins.get(name, self.gate.margin)
        samples.append(self._sample(place, name, margin))
        return None

    def _sample(self, place: Place, name: str, margin: float) -> _Sample:
        pairs = self.pairs[place]
        base = [_value(pair.base, name) or 0.0 for pair in pairs]
        head = [_value(pair.head, name) or 0.0 for pair in pairs]
        reading = pairs[0].head.measurement(name)
        assert reading is not None
        sign = -1 if reading.direction == "lower" else 1
        shift, reason = self._shift(place, name, dict(zip(self._seeds(place), base, strict=True)))
        gains = estimate((sign * (paired_differences(base, head) - shift)).tolist())
        return _Sample(place, name, reading.unit, margin, tuple(base), tuple(head), gains, reason)

    def _shift(self, place: Place, name: str, base: dict[int, float]) -> tuple[float, str]:
        """Give how far an accepted step moves the baseline's mean, and why."""
        step = self.steps.get((*_names(place), name, ""))
        if (
            step is None
            or not step.has_values
            or any(seed in base and base[seed] != before for seed, before in zip(step.seeds, step.before, strict=True))
        ):
            return 0.0, ""
        steps = [
            after - before
            for before, after in zip(step.before, step.after, strict=True)
            if isinstance(before, float) and isinstance(after, float)
        ]
        return (sum(steps) / len(steps), step.reason) if steps else (0.0, "")

    def _memory(self, place: Place, name: str) -> Check:
        """Judge an allocator's peak, each strategy by itself: it hardly varies."""
        samples: list[_Sample] = []
        check = self._measured(place, name, samples)
        if check is not None:
            return replace(check, tier="memory")
        mean = sum(samples[0].base) / len(samples[0].base)
        sample = replace(samples[0], margin=max(self.gate.memory * mean, float(self.gate.memory_bytes)))
        return self._judge(sample, loss_p(sample.gains), self.gate.alpha, tier="memory")

    def _judged(self, samples: list[_Sample]) -> Iterator[Check]:
        """Judge all scores together: Holm over them, and an equal share of α for each look."""
        level = self.gate.alpha / len(self.gate.looks)
        raw = {number: loss_p(sample.gains) for number, sample in enumerate(samples)}
        corrected = adjusted(raw)
        for number, sample in enumerate(samples):
            yield self._judge(sample, corrected[number], level, tier="quality")

    def _judge(self, sample: _Sample, p: float | None, level: float, tier: Tier) -> Check:
        n = sample.gains.n
        before, after = sum(sample.base) / n, sum(sample.head) / n
        message = sized(sample.gains, before, after, sample.unit, margin=sample.margin, p=p)
        if sample.moved:
            message += f"; the baseline is moved, accepted: {sample.moved}"
        verdict = said(sample.gains, p, sample.margin, level)
        if n < CLAIM and all(repeats(pair.head, pair.base) for pair in self.pairs[sample.place]):
            verdict, message = "ok", f"{message}; the records are identical"
        elif n < CLAIM:
            message = f"{message}; {CLAIM} are needed to say anything"
        return Check(
            verdict, sample.place, sample.metric, tier, message, "", self._seeds(sample.place), sample.base, sample.head
        )

    def _speed(self, place: Place) -> Iterator[Check]:
        """Say why speed is not held: two runs made apart say nothing about five per cent."""
        for name in SPEED:
            if not self._somewhere(place, name):
                continue
            found = self._differences(place, needed(name))
            why = (
                "; ".join(map(str, found))
                or "the two were not run in turn; `ftbench gate SUITE --plugin FILE --base REF` does that"
            )
            yield Check("not comparable", place, name, "speed", why, seeds=self._seeds(place), held=False)


def _names(place: Place) -> tuple[str, str, str]:
    return place.target, place.backbone, place.strategy


def _value(record: Record, name: str) -> float | None:
    found: Measurement | None = record.measurement(name)
    return None if found is None else found.value


def _unfinished(seeds: Sequence[int]) -> str:
    return f"{seeds_named(seeds)} {'has' if len(seeds) == 1 else 'have'} no record"
