"""Check a run against a baseline, tier by tier: exact values, scores, memory; a missing value never passes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.metric_tiers import MEMORY, SPEED, TRACE, exact_values, loss_trace, needed, tier_of, trained_alike
from ..analysis.score_step import step_of_records
from ..errors import RunError
from ..records.accepted_changes import AcceptedChange
from ..records.comparability import PARTS, differences, without
from ..stats.noninferiority import loss_p
from .checks import TRIALS, Check
from .formats import change_text, count_text, divergence_text, exact_text, seeds_text
from .scores import Sample, judge, judge_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..api.measurement import Measurement
    from ..records.comparability import Difference, Part
    from ..records.record import Record
    from ..records.record_set import Place, RecordSet
    from ..suite.suite import Gate
    from .formats import Value


class Pair(NamedTuple):
    """Two finished trials with the same configuration key and seed."""

    seed: int
    head: Record
    base: Record


def hold(head: RecordSet, base: RecordSet, gate: Gate, allowed: Sequence[str] = ()) -> list[Check]:
    """Check a run against a baseline.

    Args:
        head: the run.
        base: the baseline.
        gate: margins and significance levels.
        allowed: dotted names of fields that may differ, including the fields below them.

    Raises:
        RunError: the runs are of different suites, or there is nothing to compare.
    """
    if head.suite != base.suite:
        raise RunError(f"{base.source}: is a run of the suite {base.suite!r}, but {head.source} is of {head.suite!r}")
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
    checks = list(_Checker(head, base, gate, tuple(allowed)).checks())
    if not any(check.gating for check in checks):
        raise RunError(f"{head.source}: there is nothing to compare with {base.source}: no trial of either has a score")
    return checks


def undecided(checks: Sequence[Check]) -> set[Place]:
    """Return the configurations whose scores more seeds could decide."""
    return {
        check.place
        for check in checks
        if check.verdict == "inconclusive" and check.tier == "quality" and check.gating and not check.members
    }


def accept(checks: Sequence[Check], base: RecordSet, reason: str) -> tuple[list[Check], list[AcceptedChange]]:
    """Accept everything that regressed or is missing; return the updated checks and the baseline's accepted changes."""
    known, found = {(*_key(check.place), check.metric, check.task): check for check in checks}, list[Check]()
    steps: dict[tuple[str, ...], AcceptedChange] = {}
    for check in checks:
        if not check.gating or check.verdict not in ("regressed", "missing"):
            found.append(check)
            continue
        found.append(replace(check, verdict="accepted", message=f"{check.message}; accepted: {reason}"))
        # A change of all strategies together is accepted as the changes that it is made of.
        for one in [known[*_key(place), check.metric, ""] for place in check.members] or [check]:
            step = AcceptedChange(
                reason, *_key(one.place), one.metric, one.task, seeds=one.seeds, before=one.before, after=one.after
            )
            steps[step.key] = step
    return found, [*base.accepted, *steps.values()]


class _Checker:
    def __init__(self, head: RecordSet, base: RecordSet, gate: Gate, allowed: tuple[str, ...]) -> None:
        self.head, self.base, self.gate, self.allowed = head, base, gate, allowed
        self.steps = {step.key: step for step in base.accepted}
        self.differing: dict[Place, list[Difference]] = {}
        self.steps_of_scores: dict[tuple[str, str], float] = {}

    def checks(self) -> Iterator[Check]:
        places = sorted({*self.head.records, *self.base.records, *(place for place, _ in self.head.unfinished)})
        samples: list[Sample] = []
        for place in places:
            yield from self._trials(place)
            if not self.pairs[place]:
                continue
            yield from self._exact(place)
            yield from self._trace(place)
            for name in self._scores(place):
                check = self._incomparable(place, name) or self._add_sample(place, name, samples)
                if check is not None:
                    yield check
            for name in MEMORY:
                if self._is_measured(place, name):
                    yield self._incomparable(place, name) or self._memory(place, name)
            yield from self._speed(place)
        yield from judge_scores(samples, self.gate)

    @cached_property
    def pairs(self) -> dict[Place, list[Pair]]:
        found: dict[Place, list[Pair]] = defaultdict(list)
        for place, records in self.head.records.items():
            others = self.base.records.get(place, {})
            both = [Pair(seed, records[seed], others[seed]) for seed in sorted({*records} & {*others})]
            found[place] = [pair for pair in both if pair.head.status == pair.base.status == "ok"]
        return found

    # -- trials ------------------------------------------------------------------------------------------------------

    def _trials(self, place: Place) -> Iterator[Check]:
        """Check that no trial is missing."""
        for message in self._missing(place):
            step = self.steps.get((*_key(place), TRIALS, ""))
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
            reason = failed.failure.message if failed.failure else "no reason given"
            yield f"seed {seed} of {whose}: {failed.status}: {reason}"
        if head and base and not {*head} & {*base}:
            here, there = seeds_text(sorted(head)), seeds_text(sorted(base))
            yield f"no seed in common: {here} here, {there} in the baseline {self.base.source}"

    def _is_measured(self, place: Place, name: str) -> bool:
        return any(_value(record, name) is not None for pair in self.pairs[place] for record in (pair.head, pair.base))

    # -- comparability -----------------------------------------------------------------------------------------------

    def _differences(self, place: Place, parts: Sequence[Part]) -> list[Difference]:
        if place not in self.differing:
            self.differing[place] = without(
                differences((pair.base, pair.head) for pair in self.pairs[place]), self.allowed
            )
        return [one for one in self.differing[place] if one.part in parts]

    def _incomparable(self, place: Place, name: str) -> Check | None:
        """Return a check that says why a metric cannot be compared; None if it can."""
        found = self._differences(place, needed(name))
        if not found:
            return None
        return Check("not comparable", place, name, tier_of(name), "; ".join(map(str, found)), seeds=self._seeds(place))

    def _seeds(self, place: Place) -> tuple[int, ...]:
        return tuple(pair.seed for pair in self.pairs[place])

    # -- exact values ------------------------------------------------------------------------------------------------

    def _exact(self, place: Place) -> Iterator[Check]:
        heads = [{(e.name, e.task): e for e in exact_values(pair.head)} for pair in self.pairs[place]]
        bases = [{(e.name, e.task): e for e in exact_values(pair.base)} for pair in self.pairs[place]]
        known = {key: e.unit for found in (*bases, *heads) for key, e in found.items()}
        for (name, task), unit in known.items():
            refusal = self._incomparable(place, name)
            if refusal is not None:
                yield replace(refusal, task=task)
                continue
            before, after = (
                tuple(e[name, task].value if (name, task) in e else None for e in side) for side in (bases, heads)
            )
            check = Check("ok", place, name, "exact", "", task, self._seeds(place), before, after)
            yield self._check_equal(check, unit)

    def _check_equal(self, check: Check, unit: str) -> Check:
        """Compare an exact value seed by seed with the baseline, or with the accepted value that replaces it."""
        expected, reason = self._expected(check)
        wrong = [number for number, value in enumerate(check.after) if value != expected[number]]
        before, after = check.before[wrong[0] if wrong else 0], check.after[wrong[0] if wrong else 0]
        where = f"on {len(wrong)} of {count_text(len(check.seeds), 'seed')}"
        if not wrong:
            shown = exact_text(after, unit) if isinstance(after, float) else "equal"
            message = (
                f"{change_text(before, after, unit)}; accepted: {reason}"
                if reason
                else f"{shown} on {count_text(len(check.seeds), 'seed')}"
            )
            return replace(check, message=message)
        if None in (before, after):
            return replace(check, verdict="missing", message=f"{change_text(before, after, unit)} {where}")
        return replace(check, verdict="regressed", message=f"must be equal: {change_text(before, after, unit)} {where}")

    def _expected(self, check: Check) -> tuple[tuple[Value, ...], str]:
        """Return the expected value on each seed and, if a change was accepted, the reason; otherwise an empty text."""
        step = self.steps.get((*_key(check.place), check.metric, check.task))
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
        """Compare training losses bit by bit; only equal machines reproduce them."""
        if self._differences(place, PARTS) or not any(loss_trace(pair.head) for pair in self.pairs[place]):
            return
        check = Check("ok", place, TRACE, "trace", "equal at every point", seeds=self._seeds(place))
        for pair in self.pairs[place]:
            base, head = loss_trace(pair.base), loss_trace(pair.head)
            for task in dict.fromkeys([*base, *head]):
                one, other = base.get(task, ()), head.get(task, ())
                if one != other:
                    yield replace(
                        check, verdict="changed", message=f"seed {pair.seed}, {task}: {divergence_text(one, other)}"
                    )
                    return
        yield check

    # -- scores and memory -------------------------------------------------------------------------------------------

    def _scores(self, place: Place) -> list[str]:
        """List the scores to check: the primary one, and those of `gate.metrics` that the task column has."""
        primary = self.pairs[place][0].head.primary
        asked = [name for name in self.gate.metrics if self._is_measured(place, name)]
        return list(dict.fromkeys([primary, *asked]))

    def _add_sample(self, place: Place, name: str, samples: list[Sample]) -> Check | None:
        """Append a score to `samples`, to be judged with the others; return a check instead if a value is missing."""
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

    def _sample(self, place: Place, name: str, margin: float) -> Sample:
        pairs, seeds = self.pairs[place], self._seeds(place)
        base = [_value(pair.base, name) or 0.0 for pair in pairs]
        head = [_value(pair.head, name) or 0.0 for pair in pairs]
        reading = pairs[0].head.measurement(name)
        assert reading is not None
        shift, reason = self._shift(place, name, dict(zip(seeds, base, strict=True)))
        known = Sample(
            place,
            name,
            reading.unit,
            margin,
            seeds,
            self._step(place.target, name),
            reason=reason,
            lower=reading.direction == "lower",
            repeated=base == head and not shift and all(trained_alike(pair.head, pair.base) for pair in pairs),
            learns=any(_value(pair.head, "trainable_parameters") != 0 for pair in pairs),
        )
        return known.measured(base, head, shift)

    def _step(self, target: str, name: str) -> float:
        if (target, name) not in self.steps_of_scores:
            pairs = (pair for place, found in self.pairs.items() if place.target == target for pair in found)
            records = [record for pair in pairs for record in (pair.base, pair.head)]
            self.steps_of_scores[target, name] = step_of_records(records, name)
        return self.steps_of_scores[target, name]

    def _shift(self, place: Place, name: str, base: dict[int, float]) -> tuple[float, str]:
        """Return how much an accepted change shifts the baseline's mean, and its reason."""
        step = self.steps.get((*_key(place), name, ""))
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
        """Judge the allocator's peak memory; strategies are not judged together, as it hardly varies."""
        samples: list[Sample] = []
        check = self._add_sample(place, name, samples)
        if check is not None:
            return replace(check, tier="memory")
        mean = sum(samples[0].base) / len(samples[0].base)
        sample = replace(samples[0], margin=max(self.gate.memory * mean, float(self.gate.memory_bytes)))
        return judge(sample, loss_p(sample.gains), self.gate.alpha, tier="memory")

    def _speed(self, place: Place) -> Iterator[Check]:
        """Report why speed is not checked: two separate runs cannot detect differences of about 5 %."""
        for name in SPEED:
            if not self._is_measured(place, name):
                continue
            found = self._differences(place, needed(name))
            why = (
                "; ".join(map(str, found))
                or "the runs did not alternate trial by trial; `ftbench gate SUITE --plugin FILE --base REF` does that"
            )
            yield Check("not comparable", place, name, "speed", why, seeds=self._seeds(place), gating=False)


def _key(place: Place) -> tuple[str, str, str]:
    return place.target, place.backbone, place.strategy


def _value(record: Record, name: str) -> float | None:
    found: Measurement | None = record.measurement(name)
    return None if found is None else found.value


def _unfinished(seeds: Sequence[int]) -> str:
    return f"{seeds_text(seeds)} {'has' if len(seeds) == 1 else 'have'} no record"
