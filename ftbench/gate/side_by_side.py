"""Two versions of a plugin in one job: each trial of the one runs next to its like of the other, in the order A B B A."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ..data.downloads import fetch
from ..errors import UserError
from ..plugins import Plugins, Selection
from ..records.record_set import Place, RecordSet, read_record_set
from ..runner.runner import choose_device, open_run, plan_here
from ..runner.slots import open_slots
from ..stats.estimates import CLAIM
from ..stats.noninferiority import next_look
from ..suite.parser import read_suite
from .gate import hold, undecided
from .more_seeds import Only
from .speed import hold_speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..runner.runner import OpenRun
    from ..runner.slots import Slot
    from ..suite.suite import Gate, Suite
    from ..suite.trial import Trial
    from .checks import Check


class Sides(NamedTuple):
    """Records of both versions."""

    base: RecordSet
    head: RecordSet


@dataclass
class SideBySide:
    """The two versions of a plugin, and the suite both are run on."""

    suite: Path
    """A suite file."""
    base: Selection
    """How the trials of the one find their plugins."""
    head: Selection
    """How those of the other do."""
    runs: Path
    """A fresh folder: the run directories are `base/<suite>` and `head/<suite>` in it."""
    observe: Callable[[Plugins, str], None] = lambda *_: None
    """May add an observer to the plugins of each version, `base` and `head`."""
    say: Callable[[str], None] = lambda _: None
    """Is told what is run again, and why."""
    _seeds: list[int] = field(default_factory=list)

    def checks(self) -> tuple[str, list[Check]]:
        """Run both, as often as it takes; gives the suite's name and what was found.

        Raises:
            UserError: one of the versions does not load, or cannot serve the suite.
            KeyboardInterrupt: Ctrl-C; the running trial is finished.
        """
        suite = self._read(self.head, "the working copy")
        gate = suite.gate
        self._seeds = _first(suite, max(CLAIM, gate.pairs))
        done = {(place, seed) for seed in self._seeds for place in self._places()}
        found = self._run(done, "")
        checks = hold(found.head, found.base, gate)
        while more := self._more(found, undecided(checks), gate):
            self.say(
                f"inconclusive: {2 * len(more)} more trials, seeds {', '.join(map(str, sorted({seed for _, seed in more})))}"
            )
            done |= more
            found = self._run(done, "")
            checks = hold(found.head, found.base, gate)
        checks = [check for check in checks if check.tier != "speed"]
        return suite.name, [*checks, *self._speed(found, gate)]

    def _speed(self, found: Sides, gate: Gate) -> list[Check]:
        """Judge throughput, and run what looks slower once more: only what is slower twice is."""
        first = hold_speed(found.head, found.base, gate)
        flagged = {check.place for check in first if check.verdict == "regressed"}
        if not flagged:
            return first
        self.say(f"slower: {', '.join(map(str, sorted(flagged)))}; run once more")
        again = self._run({(place, seed) for place in flagged for seed in self._seeds}, "-again")
        second = {check.place: check for check in hold_speed(again.head, again.base, gate)}
        return [
            replace(second[c.place], message=f"{second[c.place].message}; the first time {c.message}")
            if c.place in flagged
            else c
            for c in first
        ]

    # -- running -------------------------------------------------------------------------------------------------------------

    def _read(self, selection: Selection, name: str) -> Suite:
        try:
            return read_suite(self.suite, Plugins.discover(selection).catalog())
        except UserError as error:
            raise type(error)(*(f"{name}: {mistake}" for mistake in error.mistakes)) from None

    def _places(self) -> set[Place]:
        """Give the places both versions plan."""
        found = []
        for selection, name in ((self.base, "the base"), (self.head, "the working copy")):
            suite, plugins = self._read(selection, name), Plugins.discover(selection)
            fetch(suite, plugins.catalog(), self.say)
            found.append({Place(*trial.place[:3]) for trial in plan_here(suite, plugins, plugins.catalog())})
        return found[0] | found[1]

    def _more(self, found: Sides, places: set[Place], gate: Gate) -> set[tuple[Place, int]]:
        """Give the trials that bring undecided places to their next look."""
        more: set[tuple[Place, int]] = set()
        for place in places:
            n = len(found.head.records[place])
            look = next_look(n, gate.looks)
            seeds = self._seeds + _fresh(self._seeds, (look or 0) - len(self._seeds))
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
            for one, other in _in_turn(base, head, self._seeds):
                if not (one[0].work(one[1]) and other[0].work(other[1])):
                    raise KeyboardInterrupt
        return Sides(read_record_set(base.folder), read_record_set(head.folder))

    def _open(
        self, selection: Selection, name: str, wanted: set[tuple[Place, int]], slots: list[Slot]
    ) -> AbstractContextManager[OpenRun]:
        # Loaded last, planned at once: both versions have the same module names, and a plan hashes what is loaded.
        plugins = Plugins.discover(selection)
        plugins.register(Only(frozenset(), frozenset(wanted)), "gate")
        self.observe(plugins, name)
        suite = replace(read_suite(self.suite, plugins.catalog()), seeds=tuple(self._seeds))
        return open_run(suite, plugins, selection, self.runs / name, slots)


def _in_turn(
    base: OpenRun, head: OpenRun, seeds: Sequence[int]
) -> Iterator[tuple[tuple[OpenRun, Trial], tuple[OpenRun, Trial]]]:
    """Yield pairs of equal place and seed, the base first in every other one of a place."""
    turn = {seed: number % 2 for number, seed in enumerate(seeds)}
    other = {trial.place: trial for trial in head.trials}
    for trial in base.trials:
        if trial.place in other:
            pair = ((base, trial), (head, other[trial.place]))
            yield pair if turn[trial.seed] == 0 else (pair[1], pair[0])


def _first(suite: Suite, least: int) -> list[int]:
    return [*suite.seeds, *_fresh(suite.seeds, least - len(suite.seeds))]


def _fresh(seeds: Sequence[int], count: int) -> list[int]:
    """Give the smallest whole numbers that are no seeds yet."""
    found: list[int] = []
    number = 0
    while len(found) < count:
        if number not in seeds:
            found.append(number)
        number += 1
    return found
