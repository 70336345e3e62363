"""Waiting for a device until the last trial's memory is released; after half a minute, the holder is named."""

import os

from ftbench.meters import DeviceProbe
from ftbench.runner.device_release import PATIENCE, DeviceRelease

from tests.support.scripted_probe import MIB, FakeClock, ScriptedProbe


def waited(clock, release):
    """Poll every fifth of a second, as the runner does; return the state and the seconds it took."""
    begun = clock.time
    while (state := release.state()) is None:
        clock.time += 0.2
    return state, clock.time - begun


def test_a_free_device_is_given_at_once_with_its_idle_power():
    clock = FakeClock()
    state, seconds = waited(clock, DeviceRelease(ScriptedProbe(clock, power=38.5), clock.now))
    assert (state.memory, state.power, state.offenders, seconds) == (500 * MIB, 38.5, (), 0)


def test_what_the_last_trial_left_is_waited_for():
    clock = FakeClock()
    release = DeviceRelease(ScriptedProbe(clock, memory=lambda t: (500 if t == 0 or t > 7 else 4000) * MIB), clock.now)
    clock.time += 1
    state, seconds = waited(clock, release)
    assert 5.9 < seconds < 6.5
    assert state.offenders == ()


def test_after_half_a_minute_the_offender_is_named_and_the_trial_gets_the_device():
    clock = FakeClock()
    memory = {"memory": lambda t: (500 if t == 0 else 4000) * MIB}
    release = DeviceRelease(
        ScriptedProbe(clock, processes=[(os.getpid(), 3500 * MIB), (2**22 + 5, None)], **memory), clock.now
    )
    clock.time += 1
    state, seconds = waited(clock, release)
    assert PATIENCE <= seconds < PATIENCE + 0.5
    mine, hidden = state.offenders
    assert mine.endswith(f"(process {os.getpid()}) holds 3500 MiB")
    assert hidden == f"a program outside this container (process {2**22 + 5})"
    # The next trial waits again, for as long.
    assert release.state() is None


def test_an_offender_that_cannot_be_seen_is_told_by_what_it_holds():
    clock = FakeClock()
    release = DeviceRelease(
        ScriptedProbe(clock, memory=lambda t: (500 if t == 0 else 800) * MIB, processes="NVML: Not Supported"),
        clock.now,
    )
    clock.time += 1
    state, _ = waited(clock, release)
    assert state.offenders == ("300 MiB more than at the beginning of the run, of a process that cannot be seen",)


def test_a_few_mebibytes_are_nobody():
    clock = FakeClock()
    release = DeviceRelease(ScriptedProbe(clock, memory=lambda t: (500 if t == 0 else 540) * MIB), clock.now)
    clock.time += 1
    assert release.state().offenders == ()


def test_what_was_there_before_the_run_is_the_baseline_and_falls_with_it():
    clock = FakeClock()
    release = DeviceRelease(
        ScriptedProbe(clock, memory=lambda t: (3000 if t < 5 else 500 if t < 10 else 3000) * MIB), clock.now
    )
    assert release.state().memory == 3000 * MIB
    clock.time += 6
    assert release.state().memory == 500 * MIB
    clock.time += 6
    assert release.state() is None


def test_a_device_that_tells_nothing_is_not_waited_for():
    state = DeviceRelease(DeviceProbe("no NVIDIA driver")).state()
    assert (state.memory, state.power, state.offenders) == (None, None, ())
