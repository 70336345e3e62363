"""Handle the signals that end a run, and announce them at once.

The first Ctrl-C lets running trials finish, the second stops them; SIGTERM and SIGHUP stop them at once.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..suite.trial import Trial

_TERMINATION = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class Interruption:
    """Whether a run was asked to end, and how soon."""

    def __init__(
        self,
        running: Callable[[], Sequence[Trial]] = tuple,
        announce: Callable[[Sequence[Trial], bool], None] = lambda _, __: None,
    ) -> None:
        """Prepare for signals; none is handled before `handling_signals`.

        Args:
            running: returns the running trials; called when a signal arrives, before it has any effect on them.
            announce: called after each signal with the result of `running` and the value of `immediate`, from a
                thread of its own: the signal handler may interrupt a function that holds the locks of the console,
                and must not wait for them.
        """
        self.requested = False
        """Start no further trial."""
        self.immediate = False
        """Stop running trials too."""
        self._running, self._announce = running, announce
        # The only queue that a signal handler may put into while the code it interrupts does so too.
        self._signals: SimpleQueue[tuple[Sequence[Trial], bool] | None] = SimpleQueue()
        self._raises = False

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle the signals while the context is open; outside the main thread, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        listener = threading.Thread(target=self._announce_signals, daemon=True)
        listener.start()
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, *_TERMINATION)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._signals.put(None)
            listener.join()

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raise an error as soon as running trials must stop, for a call that may block for seconds.

        Raises:
            KeyboardInterrupt: running trials must stop.
        """
        self._raises = True
        try:
            if self.immediate:
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def _handle(self, number: int, _: object) -> None:
        self.immediate = self.requested or number in _TERMINATION
        self.requested = True
        self._signals.put((self._running(), self.immediate))
        if self.immediate and self._raises:
            raise KeyboardInterrupt

    def _announce_signals(self) -> None:
        for trials, immediate in iter(self._signals.get, None):
            self._announce(trials, immediate)
