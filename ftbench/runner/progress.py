"""Show the progress of a run on the console, as an observing plugin: live bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from ..errors import RunError
from ..formatting import one_line, visible
from ..hookspecs import hookimpl
from .local_plan import trials_at_a_time
from .time_left import TrialDuration, TrialKind, estimate_time_left, finished_durations, rough_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.progress import Task

    from ..records.record import Attempt, Record
    from ..suite.suite import Suite
    from ..suite.trial import Trial


_LETTERS = 100
"""Letters of a failure's message that are shown."""


class ConsoleProgress:
    """Shows a bar for each running trial, a line for each finished one, and the time left."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        runs: Path | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the display.

        Args:
            console: where to show it; stderr by default.
            runs: the folder of run directories, to estimate the time left also from earlier trials of the run.
            now: a clock, in seconds.
        """
        self.console = console or Console(stderr=True)
        self._runs, self._now = runs, now
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            _TimeLeftColumn(now),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._running: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        """Id → start of each running trial."""
        self._remaining: dict[str, TrialKind] = {}
        """Id → kind of each trial that has no record yet and will be started."""
        self._finished: list[TrialDuration] = []
        self._workers = 1
        self._interrupted = False
        self._done = 0
        self._all = 0

    @hookimpl
    def ftbench_suite_started(self, suite: Suite, trials: list[Trial]) -> None:
        """Open the display."""
        self._all = len(trials)
        self._workers = trials_at_a_time(suite.machine)
        self._expect(trials)
        if self._runs is not None:
            # An estimate is not worth an error: a command that needs the damaged file will report it.
            with suppress(RunError):
                self._finished = finished_durations(self._runs / suite.name)
        self._whole = self._bars.add_task(f"[bold]{escape(visible(suite.name))}", total=len(trials), note="trials")
        self._show_time_left()
        self._bars.start()

    @hookimpl
    def ftbench_trials_added(self, trials: list[Trial]) -> None:
        """Add them to the total."""
        self._all += len(trials)
        self._expect(trials)
        self._bars.update(self._whole, total=self._all)
        self._show_time_left()

    @hookimpl
    def ftbench_trial_started(self, trial: Trial) -> None:
        """Add a bar."""
        self._began[trial.id] = self._now()
        self._running[trial.id] = self._bars.add_task(f"  {_shown(trial)}", total=None, note="loading")

    @hookimpl
    def ftbench_step_finished(self, trial: Trial, step: int, steps: int, loss: float) -> None:
        """Advance the bar."""
        self._bars.update(self._running[trial.id], completed=step, total=steps, note=f"loss {loss:.3f}")

    @hookimpl
    def ftbench_trial_retried(self, trial: Trial, attempt: Attempt) -> None:
        """Replace the bar with a line that gives the reason."""
        self._began.pop(trial.id, None)
        if trial.id in self._running:
            self._bars.remove_task(self._running.pop(trial.id))
        why = escape(one_line(attempt.message, _LETTERS))
        self._bars.console.print(f"[yellow]retrying[/] {_shown(trial)} [bold]{why}[/]", highlight=False, soft_wrap=True)

    @hookimpl
    def ftbench_run_interrupted(self, trials: list[Trial], immediate: bool) -> None:
        """Answer Ctrl-C."""
        self._interrupted = True
        line = interruption_line(trials, immediate=immediate)
        self._bars.console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    @hookimpl
    def ftbench_trial_finished(self, trial: Trial, record: Record) -> None:
        """Replace the bar with a permanent line."""
        self._done += 1
        self._bars.advance(self._whole)
        if trial.id in self._running:
            self._bars.remove_task(self._running.pop(trial.id))
        began = self._began.pop(trial.id, None)
        took = "" if began is None else f"{self._now() - began:.1f} s"
        mark = {"ok": "[green]ok[/]", "not-applicable": "[dim]not applicable[/]", "skipped": "[dim]pruned[/]"}.get(
            record.status, f"[red]{record.status}[/]"
        )
        score = record.measurement(record.primary)
        value = f"{record.primary} {score.value:.3f}" if score and score.value is not None else ""
        if record.failure is not None:
            value = one_line(record.failure.message, _LETTERS)
        left = self._count(trial, record)
        self._bars.console.print(
            f"[dim]{self._done:>3}/{self._all}[/] {mark} {_shown(trial)} [bold]{escape(visible(value))}[/] "
            f"[dim]{took}{left}[/]",
            highlight=False,
            soft_wrap=True,
        )

    @hookimpl
    def ftbench_suite_finished(self) -> None:
        """Close the display."""
        self._bars.stop()

    def _expect(self, trials: Sequence[Trial]) -> None:
        """Count trials that will be started."""
        self._remaining |= {trial.id: TrialKind.of(trial) for trial in trials if trial.not_applicable is None}

    def _count(self, trial: Trial, record: Record) -> str:
        """Count a finished trial; return the time left as the end of its line, empty if it is unknown."""
        self._remaining.pop(trial.id, None)
        if (duration := TrialDuration.of(record)) is not None:
            self._finished.append(duration)
        seconds = self._show_time_left()
        return "" if seconds is None else f", {rough_duration(seconds)} left"

    def _show_time_left(self) -> float | None:
        """Estimate the time left and show it next to the bar; return None if it is unknown, or nothing is left."""
        now = self._now()
        began = {key: start for key, start in self._began.items() if key in self._remaining}
        waiting = [kind for key, kind in self._remaining.items() if key not in began]
        kinds = [*(self._remaining[key] for key in began), *waiting]
        seconds: float | None = None
        if kinds and not self._interrupted:
            elapsed = [now - start for start in began.values()]
            seconds = estimate_time_left(self._finished, kinds, self._workers, elapsed)
        self._bars.update(self._whole, ends=None if seconds is None else now + seconds)
        return seconds


class _TimeLeftColumn(ProgressColumn):
    """Counts down to the estimated end of the run, which the field `ends` of a task holds."""

    max_refresh = 1.0

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now

    def render(self, task: Task) -> Text:
        ends = task.fields.get("ends")
        left = 0.0 if ends is None else ends - self._now()
        return Text(f"{rough_duration(left)} left" if left > 0 else "")


def interruption_line(trials: Sequence[Trial], *, immediate: bool) -> str:
    """Return the answer to Ctrl-C while `trials` are running.

    Args:
        trials: the running trials.
        immediate: whether they are stopped instead of finished.
    """
    one = _short_name(trials[0]) if len(trials) == 1 else f"{len(trials)} trials"
    if immediate:
        return f"stopping {one} now; run again to resume" if trials else "stopping now; run again to resume"
    finishing = f"finishing {one}, then stopping" if trials else "stopping before the next trial"
    return f"{finishing}; Ctrl-C again stops now"


def _shown(trial: Trial) -> str:
    """Return the name of a trial, safe to print with markup."""
    return escape(visible(trial.name))


def _short_name(trial: Trial) -> str:
    """Return the name of a trial without its task column and backbone."""
    return trial.name.removeprefix(f"{trial.target} · {trial.backbone.label} · ")
