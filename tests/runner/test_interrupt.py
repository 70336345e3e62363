"""Signals that end a run, and how soon."""

import signal

import pytest
from ftbench.runner.interrupt import Interruption


@pytest.mark.parametrize(
    ("numbers", "hurry"),
    [((), None), (("SIGINT",), False), (("SIGINT", "SIGINT"), True), (("SIGTERM",), True), (("SIGHUP",), True)],
)
def test_once_finishes_twice_stops_and_a_keepers_signal_stops_at_once(numbers, hurry):
    before = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP")}
    interruption = Interruption()
    with interruption.handling_signals():
        for name in numbers:
            signal.raise_signal(getattr(signal, name))
    assert (interruption.requested, interruption.immediate) == (bool(numbers), bool(hurry))
    assert {name: signal.getsignal(getattr(signal, name)) for name in before} == before


def test_another_thread_hears_nothing_and_changes_nothing():
    import threading

    def listen():
        with Interruption().handling_signals():
            assert signal.getsignal(signal.SIGTERM) is before

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
