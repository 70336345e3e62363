"""Handle the signals that end a run.

The first Ctrl-C lets running trials finish, the second stops them; SIGTERM and SIGHUP stop them at once.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERMINATION = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class Interruption:
    """Whether a run was asked to end, and how soon."""

    def __init__(self) -> None:
        self.requested = False
        """Start no further trial."""
        self.immediate = False
        """Stop running trials too."""

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle the signals while the context is open; outside the main thread, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, *_TERMINATION)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _: object) -> None:
        self.immediate = self.requested or number in _TERMINATION
        self.requested = True
