"""Run two versions of a plugin in one job: matching trials run one after the other, in the order A B B A."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ..data.downloads import fetch
from ..errors import UserError
from ..plugins import Plugins, Selection
from ..records.record_set import Place, RecordSet, read_record_set
from ..runner.local_plan import choose_device, plan_here
from ..runner.runner import open_run
from ..runner.slots import open_slots
from ..stats.estimates import CLAIM
from ..stats.noninferiority import next_look
from ..suite.parser import read_suite
from .gate import hold, undecided
from .more_seeds import PlanFilter
from .speed import check_speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..runner.runner import OpenRun
    from ..runner.slots import Slot
    from ..suite.suite import Gate, Suite
    from ..suite.trial import Trial
    from .checks import Check


class Sides(NamedTuple):
    """The records of both versions."""

    base: RecordSet
    head: RecordSet


@dataclass
class SideBySide:
    """Two versions of a plugin, and the suite both run."""

    suite: Path
    """The suite file."""
    base: Selection
    """How trials of the base version find their plugins."""
    head: Selection
    """How trials of the head version find their plugins."""
    runs: Path
    """An empty folder for the run directories `base/<suite>` and `head/<suite>`."""
    observe: Callable[[Plugins, str], None] = lambda *_: None
    """Called with the plugins of each version and its name, `base` or `head`; may register an observer."""
    say: Callable[[str], None] = lambda _: None
    """Called with a progress message when trials are added or run again."""
    _seeds: list[int] = field(default_factory=list)

    def checks(self) -> tuple[str, list[Check]]:
        """Run both versions, with more seeds while scores are inconclusive; return the suite's name and the checks.

        Raises:
            UserError: one of the versions does not load, or does not support the suite.
            KeyboardInterrupt: Ctrl-C; the running trial is finished first.
        """
        suite = self._read(self.head, "the working copy")
        gate = suite.gate
        self._seeds = _first_seeds(suite, max(CLAIM, gate.pairs))
        done = {(place, seed) for seed in self._seeds for place in self._places()}
        found = self._run(done, "")
        checks = hold(found.head, found.base, gate)
        while more := self._more(found, undecided(checks), gate):
            seeds = ", ".join(map(str, sorted({seed for _, seed in more})))
            self.say(f"inconclusive: {2 * len(more)} more trials, seeds {seeds}")
            done |= more
            found = self._run(done, "")
            checks = hold(found.head, found.base, gate)
        checks = [check for check in checks if check.tier != "speed"]
        return suite.name, [*checks, *self._speed(found, gate)]

    def _speed(self, found: Sides, gate: Gate) -> list[Check]:
        """Judge throughput, and run slower configurations again; they regress only if they are slower both times."""
        first = check_speed(found.head, found.base, gate)
        flagged = {check.place for check in first if check.verdict == "regressed"}
        if not flagged:
            return first
        self.say(f"slower: {', '.join(map(str, sorted(flagged)))}; running again")
        again = self._run({(place, seed) for place in flagged for seed in self._seeds}, "-again")
        second = {check.place: check for check in check_speed(again.head, again.base, gate)}
        return [
            replace(second[c.place], message=f"{second[c.place].message}; the first time {c.message}")
            if c.place in flagged
            else c
            for c in first
        ]

    # -- running ---------------------------------------------------------------------------------------------------

    def _read(self, selection: Selection, name: str) -> Suite:
        try:
            return read_suite(self.suite, Plugins.discover(selection).catalog())
        except UserError as error:
            raise type(error)(*(f"{name}: {mistake}" for mistake in error.mistakes)) from None

    def _places(self) -> set[Place]:
        """Return the configurations that either version plans."""
        found = []
        for selection, name in ((self.base, "the base"), (self.head, "the working copy")):
            suite, plugins = self._read(selection, name), Plugins.discover(selection)
            fetch(suite, plugins.catalog(), self.say)
            found.append({Place(*trial.place[:3]) for trial in plan_here(suite, plugins, plugins.catalog())})
        return found[0] | found[1]

    def _more(self, found: Sides, places: set[Place], gate: Gate) -> set[tuple[Place, int]]:
        """Return the trials that undecided configurations need for their next look."""
        more: set[tuple[Place, int]] = set()
        for place in places:
            n = len(found.head.records[place])
            look = next_look(n, gate.looks)
            seeds = self._seeds + _new_seeds(self._seeds, (look or 0) - len(self._seeds))
            more |= {(place, seed) for seed in seeds[n:look]} if look else set()
        self._seeds += [seed for seed in sorted({seed for _, seed in more}) if seed not in self._seeds]
        return more

    def _run(self, wanted: set[tuple[Place, int]], suffix: str) -> Sides:
        device = choose_device(self._read(self.head, "the working copy").machine.device)
        with open_slots(device) as slots, ExitStack() as stack:
            base, head = (
                stack.enter_context(self._open(selection, f"{name}{suffix}", wanted, slots[:1]))
                for name, selection in (("base", self.base), ("head", self.head))
            )
            for one, other in _alternating(base, head, self._seeds):
                if not (one[0].work(one[1]) and other[0].work(other[1])):
                    raise KeyboardInterrupt
        return Sides(read_record_set(base.folder), read_record_set(head.folder))

    def _open(
        self, selection: Selection, name: str, wanted: set[tuple[Place, int]], slots: list[Slot]
    ) -> AbstractContextManager[OpenRun]:
        # Load a version right before planning it: both have the same module names, and a plan hashes the loaded ones.
        plugins = Plugins.discover(selection)
        plugins.register(PlanFilter(frozenset(), frozenset(wanted)), "gate")
        self.observe(plugins, name)
        suite = replace(read_suite(self.suite, plugins.catalog()), seeds=tuple(self._seeds))
        return open_run(suite, plugins, selection, self.runs / name, slots)


def _alternating(
    base: OpenRun, head: OpenRun, seeds: Sequence[int]
) -> Iterator[tuple[tuple[OpenRun, Trial], tuple[OpenRun, Trial]]]:
    """Yield pairs of trials with equal configuration and seed, with the base first in every other pair."""
    turn = {seed: number % 2 for number, seed in enumerate(seeds)}
    other = {trial.place: trial for trial in head.trials}
    for trial in base.trials:
        if trial.place in other:
            pair = ((base, trial), (head, other[trial.place]))
            yield pair if turn[trial.seed] == 0 else (pair[1], pair[0])


def _first_seeds(suite: Suite, least: int) -> list[int]:
    return [*suite.seeds, *_new_seeds(suite.seeds, least - len(suite.seeds))]


def _new_seeds(seeds: Sequence[int], count: int) -> list[int]:
    """Return the `count` smallest whole numbers that are not in `seeds`."""
    found: list[int] = []
    number = 0
    while len(found) < count:
        if number not in seeds:
            found.append(number)
        number += 1
    return found
