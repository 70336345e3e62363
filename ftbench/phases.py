"""The phases of a trial: they follow one another, leave nothing out, and their edges wait for the device."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .measurement import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .meter import Meter, Watch


class Phases:
    """Cuts the wall time of a trial. A phase begun inside another interrupts it."""

    def __init__(self, watch: Watch, meters: Sequence[Meter], synchronise: Callable[[], None]) -> None:
        self.watch, self.meters, self.synchronise = watch, meters, synchronise
        self._open: list[str] = []
        self._seconds: dict[str, float] = {}
        self._edge = time.perf_counter()
        self.started = self._edge

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to the phase `name`."""
        self._cut(entering=name)
        self._open.append(name)
        try:
            yield
        finally:
            self._cut(entering=self._open[-2] if len(self._open) > 1 else None)
            self._open.pop()

    def _cut(self, entering: str | None) -> None:
        self.synchronise()
        now = time.perf_counter()
        leaving = self._open[-1] if self._open else "load"
        self._seconds[leaving] = self._seconds.get(leaving, 0.0) + now - self._edge
        if self._open:
            for meter in self.meters:
                meter.leave(leaving)
        if entering is not None:
            for meter in self.meters:
                meter.enter(entering)
        # The meters' own time is charged to the phase that begins.
        self._edge = now

    def list(self) -> tuple[Phase, ...]:
        """Give name and seconds of every phase, in the order of their first beginning; those never left are absent."""
        return tuple(Phase(name, seconds) for name, seconds in self._seconds.items())
