"""Show the progress of a run on the console, as an observing plugin: live bars on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ..hookspecs import hookimpl

if TYPE_CHECKING:
    from ..records.record import Attempt, Record
    from ..suite.suite import Suite
    from ..suite.trial import Trial


class ConsoleProgress:
    """Shows a bar for each running trial, and a line for each finished one."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._running: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._done = 0
        self._all = 0

    @hookimpl
    def ftbench_suite_started(self, suite: Suite, trials: list[Trial]) -> None:
        """Open the display."""
        self._all = len(trials)
        self._whole = self._bars.add_task(f"[bold]{suite.name}", total=len(trials), note="trials")
        self._bars.start()

    @hookimpl
    def ftbench_trials_added(self, trials: list[Trial]) -> None:
        """Add them to the total."""
        self._all += len(trials)
        self._bars.update(self._whole, total=self._all)

    @hookimpl
    def ftbench_trial_started(self, trial: Trial) -> None:
        """Add a bar."""
        self._began[trial.id] = time.monotonic()
        self._running[trial.id] = self._bars.add_task(f"  {trial.name}", total=None, note="loading")

    @hookimpl
    def ftbench_step_finished(self, trial: Trial, step: int, steps: int, loss: float) -> None:
        """Advance the bar."""
        self._bars.update(self._running[trial.id], completed=step, total=steps, note=f"loss {loss:.3f}")

    @hookimpl
    def ftbench_trial_retried(self, trial: Trial, attempt: Attempt) -> None:
        """Replace the bar with a line that gives the reason."""
        if trial.id in self._running:
            self._bars.remove_task(self._running.pop(trial.id))
        why = attempt.message[:100].replace("[", r"\[")
        self._bars.console.print(f"[yellow]retrying[/] {trial.name} [bold]{why}[/]", highlight=False, soft_wrap=True)

    @hookimpl
    def ftbench_trial_finished(self, trial: Trial, record: Record) -> None:
        """Replace the bar with a permanent line."""
        self._done += 1
        self._bars.advance(self._whole)
        if trial.id in self._running:
            self._bars.remove_task(self._running.pop(trial.id))
        took = f"{time.monotonic() - self._began[trial.id]:.1f} s" if trial.id in self._began else ""
        mark = {"ok": "[green]ok[/]", "not-applicable": "[dim]not applicable[/]", "skipped": "[dim]pruned[/]"}.get(
            record.status, f"[red]{record.status}[/]"
        )
        score = record.measurement(record.primary)
        value = f"{record.primary} {score.value:.3f}" if score and score.value is not None else ""
        if record.failure is not None:
            value = record.failure.message[:100].replace("[", r"\[")
        self._bars.console.print(
            f"[dim]{self._done:>3}/{self._all}[/] {mark} {trial.name} [bold]{value}[/] [dim]{took}[/]",
            highlight=False,
            soft_wrap=True,
        )

    @hookimpl
    def ftbench_suite_finished(self) -> None:
        """Close the display."""
        self._bars.stop()
