"""The phases of a trial: they follow one another, leave nothing out, and their edges wait for the device."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..api.measurement import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..api.meter import Meter, Watch


class Phases:
    """Cuts the wall time of a trial. A phase begun inside another interrupts it.

    What comes before the first phase is `start`, what lies between phases and after them `other`.
    """

    def __init__(
        self, watch: Watch, meters: Sequence[Meter], synchronise: Callable[[], None], began: float | None = None
    ) -> None:
        self.watch, self.meters, self.synchronise = watch, meters, synchronise
        self._open: list[str] = []
        self._seconds: dict[str, float] = {}
        self._edge = time.monotonic() if began is None else began
        """The same clock in all processes, so that it may have begun before this one could look."""

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
        now = time.monotonic()
        leaving = self.current
        self._seconds[leaving] = self._seconds.get(leaving, 0.0) + now - self._edge
        if self._open:
            for meter in self.meters:
                meter.leave(leaving)
        if entering is not None:
            for meter in self.meters:
                meter.enter(entering)
        # The meters' own time is charged to the phase that begins.
        self._edge = now

    @property
    def current(self) -> str:
        """The phase at hand."""
        if self._open:
            return self._open[-1]
        return "other" if self._seconds else "start"

    def list(self, until: float) -> tuple[Phase, ...]:
        """Give name and seconds of every phase up to a moment of `time.monotonic()`, in the order of their first beginning."""
        current = self.current
        seconds = {**self._seconds, current: self._seconds.get(current, 0.0) + until - self._edge}
        return tuple(Phase(name, spent) for name, spent in seconds.items())
