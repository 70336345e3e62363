"""Decide which trials of a suite to run next.

The schedule is updated as records arrive, because the results of tuning trials decide which trials follow.
"""

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

_SEARCH_RESULTS = ("diverged", "oom")
"""Statuses of a tuning trial that count as a result of the search: its values do not work."""


class Schedule:
    """The selected trials of one suite in one run directory and environment."""

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
        """Read the state of all trials from the run directory.

        Args:
            tuner: knows the suite's trials.
            store: the run directory.
            environment: fingerprint of the environment that the trials run in.
            table: the resolved suite, for `suite.lock.toml`.
            chosen: which trials to run; all by default.
            again: rerun failed trials, and nothing else.

        Raises:
            UserError: `chosen` is a shard and the suite is tuned.
        """
        self.tuner, self.store, self.environment, self.table = tuner, store, environment, table
        self.chosen, self.again = chosen, again
        if chosen is not None and chosen.shard is not None and tuner.suite.tuning is not None:
            raise UserError(
                "--shard: a tuned suite cannot be split into shards, because later trials depend on earlier results; "
                "use --only"
            )
        self._returned: set[str] = set()
        self._read = store.reader(environment)
        self.refresh()

    def refresh(self) -> None:
        """Recompute which trials exist and which of them are done."""
        self.state = self.tuner.course(point_reader(self._read))
        self.selected = self._select()
        found = {trial.id: self._status(trial) for trial in self.selected}
        self.statuses = {key: status for key, status in found.items() if status is not None}
        """Id → status of every selected trial that is done."""

    def _select(self) -> Sequence[Trial]:
        if self.chosen is None:
            return self.state.trials
        # Until its values are tuned, a trial matches a pattern only by its untuned name.
        ids = {trial.id for trial in self.state.trials}
        every = [*self.state.trials, *(trial for trial in self.tuner.trials if trial.id not in ids)]
        return [trial for trial in self.chosen.among(every) if trial.id in ids]

    def _status(self, trial: Trial) -> str | None:
        status = self.store.status(trial.id, self.environment)
        return "skipped" if trial.role == "try" and status in _SEARCH_RESULTS else status

    @property
    def planned(self) -> int:
        """Number of selected trials, including those whose values are not chosen yet."""
        return self.state.size if self.chosen is None else len(self.selected)

    def next_trials(self) -> list[Trial]:
        """Return the trials to run that were not returned before."""
        found = [trial for trial in self.selected if trial.id not in self._returned and self._must_run(trial)]
        self._returned |= {trial.id for trial in found}
        return found

    def _must_run(self, trial: Trial) -> bool:
        status = self.statuses.get(trial.id)
        return status in FAILED if self.again else status is None

    def restart(self) -> list[Trial]:
        """Read the run directory again, and return all trials to run."""
        self._returned.clear()
        self._read = self.store.reader(self.environment)
        self.refresh()
        return self.next_trials()

    def advance(self) -> list[Trial]:
        """Refresh and save the plan, and return the trials that were added to it."""
        self.refresh()
        self.save()
        return self.next_trials()

    def is_saved(self) -> bool:
        """Return whether `suite.lock.toml` and `plan.json` match this schedule."""
        return self.store.is_locked(self.table, self.state.places, self.environment, self.state.tuning)

    def save(self) -> None:
        """Write `suite.lock.toml` and `plan.json`."""
        self.store.lock_suite(self.table, self.state.places, self.environment, self.state.tuning)

    def reopen(self, trials: Sequence[Trial]) -> None:
        """Move the records of trials to rerun into the folders of their attempts."""
        for trial in trials if self.again else ():
            self.store.reopen(trial.id, self.environment)
        self._read = self.store.reader(self.environment)

    def records(self) -> list[Record]:
        """Return the records of all trials that are done, selected or not."""
        done = (trial for trial in self.state.trials if self.store.status(trial.id, self.environment) is not None)
        return [self.store.record(trial.id, self.environment) for trial in done]
