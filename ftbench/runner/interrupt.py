"""Ctrl-C once lets running trials finish, twice stops them; what asks a process to end (SIGTERM, SIGHUP) stops them at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDING = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class Interruption:
    """Whether somebody wants a run to end, and how soon."""

    def __init__(self) -> None:
        self.asked = False
        """Start nothing more."""
        self.hurry = False
        """Stop what runs."""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the time being; only the main thread gets any."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, *_ENDING)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _: object) -> None:
        self.hurry = self.asked or number in _ENDING
        self.asked = True
