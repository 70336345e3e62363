"""What of a suite is done, and what is to do: looked at anew whenever records have come, because tries decide what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..records.record import FAILED
from ..records.tries import point_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.record import Record
    from ..records.store import Store
    from ..suite.selection import Chosen
    from ..suite.trial import Trial
    from ..suite.tuner import Tuner

NOTHING_WORTH = ("diverged", "oom")
"""How a try may end and be a result of the search like any other: its values lead nowhere."""


class Agenda:
    """The trials of one suite in one run directory and environment, or those of them that are meant."""

    def __init__(
        self,
        tuner: Tuner,
        store: Store,
        environment: str,
        table: dict[str, Any],
        chosen: Chosen | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Look for the first time.

        Args:
            tuner: knows the trials.
            store: holds the records.
            environment: where the trials run.
            table: the resolved suite, for `suite.lock.toml`.
            chosen: which trials are meant; all by default.
            again: whether those that failed are to do, and nothing else.

        Raises:
            UserError: trials are chosen that cannot be.
        """
        self.tuner, self.store, self.environment, self.table, self.chosen, self.again = (
            tuner,
            store,
            environment,
            table,
            chosen,
            again,
        )
        if chosen is not None and chosen.shard is not None and tuner.suite.tuning is not None:
            raise UserError(
                "--shard: what was tried decides what follows, which shares cannot know of each other; choose with --only"
            )
        self._given: set[str] = set()
        self._read = store.reader(environment)
        self.look()

    def look(self) -> None:
        """Find out which trials there are, and which of them are done."""
        self.course = self.tuner.course(point_reader(self._read))
        self.meant = self._meant()
        found = {trial.id: self._status(trial) for trial in self.meant}
        self.statuses = {key: status for key, status in found.items() if status is not None}
        """Id → status of every trial that is meant and done."""

    def _meant(self) -> Sequence[Trial]:
        if self.chosen is None:
            return self.course.trials
        # A pattern may name what is known by its untuned values alone, for now.
        ids = {trial.id for trial in self.course.trials}
        every = [*self.course.trials, *(trial for trial in self.tuner.trials if trial.id not in ids)]
        return [trial for trial in self.chosen.among(every) if trial.id in ids]

    def _status(self, trial: Trial) -> str | None:
        status = self.store.status(trial.id, self.environment)
        return "skipped" if trial.role == "try" and status in NOTHING_WORTH else status

    @property
    def planned(self) -> int:
        """How many trials are meant, those included whose values are not chosen yet."""
        return self.course.size if self.chosen is None else len(self.meant)

    def further(self) -> list[Trial]:
        """Give the trials that are to do, each once."""
        found = [trial for trial in self.meant if trial.id not in self._given and self._is_to_do(trial)]
        self._given |= {trial.id for trial in found}
        return found

    def _is_to_do(self, trial: Trial) -> bool:
        status = self.statuses.get(trial.id)
        return status in FAILED if self.again else status is None

    def again_from_the_start(self) -> list[Trial]:
        """Look as if for the first time, and give what is to do."""
        self._given.clear()
        self._read = self.store.reader(self.environment)
        self.look()
        return self.further()

    def advance(self) -> list[Trial]:
        """Look again, note the plan, and give what has come to do."""
        self.look()
        self.note()
        return self.further()

    def is_noted(self) -> bool:
        """Tell whether `suite.lock.toml` and `plan.json` say so already."""
        return self.store.is_locked(self.table, self.course.places, self.environment, self.course.tuning)

    def note(self) -> None:
        """Write `suite.lock.toml` and `plan.json`."""
        self.store.lock_suite(self.table, self.course.places, self.environment, self.course.tuning)

    def reopen(self, trials: Sequence[Trial]) -> None:
        """Put the records of trials that are to do again where their attempts are kept."""
        for trial in trials if self.again else ():
            self.store.reopen(trial.id, self.environment)
        self._read = self.store.reader(self.environment)

    def records(self) -> list[Record]:
        """Give the records of what is done, whether it was meant or not."""
        done = (trial for trial in self.course.trials if self.store.status(trial.id, self.environment) is not None)
        return [self.store.record(trial.id, self.environment) for trial in done]
