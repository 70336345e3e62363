"""Divide the wall time of a trial into phases without gaps; the device is synchronised at each boundary."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..api.measurement import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..api.meter import Meter, Watch


class Phases:
    """Records the phases of a trial. A phase that begins inside another interrupts it.

    The time before the first phase is `start`; the time between phases and after the last is `other`.
    """

    def __init__(
        self, watch: Watch, meters: Sequence[Meter], synchronise: Callable[[], None], began: float | None = None
    ) -> None:
        self.watch, self.meters, self.synchronise = watch, meters, synchronise
        self._open: list[str] = []
        self._seconds: dict[str, float] = {}
        self._boundary = time.monotonic() if began is None else began
        """Time of the last boundary. All processes share this clock, so `began` may be earlier than this process."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge the time spent inside to the phase `name`."""
        self._switch(entering=name)
        self._open.append(name)
        try:
            yield
        finally:
            self._switch(entering=self._open[-2] if len(self._open) > 1 else None)
            self._open.pop()

    def _switch(self, entering: str | None) -> None:
        self.synchronise()
        now = time.monotonic()
        leaving = self.current
        self._seconds[leaving] = self._seconds.get(leaving, 0.0) + now - self._boundary
        if self._open:
            for meter in self.meters:
                meter.leave(leaving)
        if entering is not None:
            for meter in self.meters:
                meter.enter(entering)
        # The time that the meters take is charged to the phase that begins.
        self._boundary = now

    @property
    def current(self) -> str:
        """The current phase."""
        if self._open:
            return self._open[-1]
        return "other" if self._seconds else "start"

    def list(self, until: float) -> tuple[Phase, ...]:
        """Return name and seconds of every phase up to `until` (`time.monotonic()`), in order of their first start."""
        current = self.current
        seconds = {**self._seconds, current: self._seconds.get(current, 0.0) + until - self._boundary}
        return tuple(Phase(name, spent) for name, spent in seconds.items())
