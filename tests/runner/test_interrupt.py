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


def test_each_signal_is_announced_from_another_thread_with_what_it_asks_for():
    import threading

    heard = []
    running = ["a", "b"]
    interruption = Interruption(
        lambda: tuple(running),
        lambda trials, immediate: heard.append((trials, immediate, threading.current_thread())),
    )
    with interruption.handling_signals():
        signal.raise_signal(signal.SIGINT)
        running.remove("a")
        signal.raise_signal(signal.SIGINT)
        # What the signal itself ends was still running when it arrived, however late the announcement comes.
        running.clear()
    assert [(trials, immediate) for trials, immediate, _ in heard] == [(("a", "b"), False), (("b",), True)]
    assert threading.main_thread() not in {thread for _, _, thread in heard}


def test_a_call_that_blocks_is_ended_by_the_second_signal_and_not_by_the_first():
    interruption = Interruption()
    with interruption.handling_signals():
        with interruption.raising():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.raising():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.raising():
            pass
        signal.raise_signal(signal.SIGINT)  # outside, nothing is raised
