"""Throughput: warm-up left out, windows once a training has settled, a probe where it was too short for that."""

from itertools import count

import pytest
from ftbench import Step, Trace, Watch
from hypothesis import given
from hypothesis import strategies as st

from ftbench_plugins.meters.steady import SteadyState, Stretch
from ftbench_plugins.meters.time import Throughput, TimeMeter


class Clock:
    """A clock that only advances on request."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Copy:
    """A discarded copy whose steps take as long as `seconds` says, by their number."""

    def __init__(self, clock, seconds, units=8.0, fails_at=None):
        self.clock, self.seconds, self.units, self.fails_at, self.made, self.looks = (
            clock,
            seconds,
            units,
            fails_at,
            0,
            0,
        )

    def train(self, take):
        take(self.steps())

    def steps(self):
        for number in count():
            if number == self.fails_at:
                raise MemoryError("no memory left")
            self.clock.now += self.seconds(number)
            self.made += 1
            yield Step(self.units, 1.25 * self.units, 0.1 * self.seconds(number))

    def synchronise(self):
        self.looks += 1


def trace(*seconds, units=10.0, unit="tokens"):
    n = len(seconds)
    return Trace(
        "t", unit, units=[units] * n, padded=[2 * units] * n, seconds=list(seconds), waiting=[s / 4 for s in seconds]
    )


def measured(watch, copy, clock):
    meter = TimeMeter()
    meter.clock = clock
    meter.start(watch)
    meter.examine(copy)
    return {reading.name: reading for reading in meter.stop()}, meter.stop()


def watching(*traces, profile="normal", probing=True, device="cpu"):
    watch = Watch(device, 0, profile=profile, probing=probing)
    watch.traces.extend(traces)
    return watch


def test_a_training_that_settles_is_measured_by_its_own_windows():
    slow_start = [1.0] * 10
    copy = Copy(clock := Clock(), lambda _: 1.0)
    found, _ = measured(watching(trace(*slow_start, *[0.1] * 200)), copy, clock)
    assert found["throughput"].value == pytest.approx(100)
    assert found["throughput"].flags == ()
    assert "windows of at least 20 steps and 2 s of the training itself" in found["throughput"].method
    assert found["padded_throughput"].value == pytest.approx(200)
    assert found["waiting_share"].value == pytest.approx(0.25)
    assert copy.made == 0, "nothing was left to measure"


def test_a_short_training_is_measured_on_a_discarded_copy_once_it_has_settled():
    # Slow for 30 steps, then as fast as it will ever be.
    copy = Copy(clock := Clock(), lambda number: 0.5 if number < 30 else 0.1)
    found, again = measured(watching(trace(*[0.3] * 12)), copy, clock)
    throughput = found["throughput"]
    assert throughput.value == pytest.approx(80)
    assert (throughput.unit, throughput.flags) == ("tokens/s", ())
    assert "a probe after scoring, on a discarded copy" in throughput.method
    assert found["throughput_p10"].value == found["throughput_p90"].value == pytest.approx(80)
    assert found["padded_throughput"].value == pytest.approx(100)
    assert found["waiting_share"].value == pytest.approx(0.1)
    # Warm-up, a window that was slow at first, three that agree, five that count.
    assert copy.looks <= 12, "one look at the device a window"
    assert again == list(found.values()), "a second stop gives the same"


def test_windows_are_longer_where_steps_are_short():
    copy = Copy(clock := Clock(), lambda _: 0.004)
    found, _ = measured(watching(trace(*[0.3] * 12)), copy, clock)
    assert found["throughput"].value == pytest.approx(2000)
    assert copy.made > 8 * 2 / 0.004, "windows are of two seconds"
    assert copy.looks < 200


def test_what_never_settles_is_measured_after_a_minute_and_says_so():
    copy = Copy(clock := Clock(), lambda number: (0.1, 0.2)[number // 20 % 2])
    found, _ = measured(watching(trace(*[0.3] * 12)), copy, clock)
    assert found["throughput"].flags == ("never steady",)
    assert found["throughput_p10"].value < found["throughput_p90"].value


def test_very_slow_steps_end_the_probe_before_it_has_all_windows():
    copy = Copy(clock := Clock(), lambda _: 2.0)
    found, _ = measured(watching(trace(*[2.0] * 12)), copy, clock)
    assert clock.now < 300
    assert "short window" in found["throughput"].flags
    assert found["throughput"].value == pytest.approx(4), "the one window there was time for"


@pytest.mark.parametrize("how", [{"profile": "smoke"}, {"probing": False}])
def test_where_no_probe_is_wanted_the_steps_after_the_tenth_are_taken_and_flagged(how):
    copy = Copy(clock := Clock(), lambda _: 0.1)
    found, _ = measured(watching(trace(*[5.0] * 10, 1.0, 2.0, 1.0, 4.0, 1.0), **how), copy, clock)
    assert copy.made == 0
    assert (found["throughput"].value, found["throughput"].flags) == (10.0, ("short window",))
    assert "the steps after the 10th" in found["throughput"].method


def test_a_probe_that_fails_costs_no_more_than_its_reading():
    copy = Copy(clock := Clock(), lambda _: 0.1, fails_at=40)
    found, _ = measured(watching(trace(*[0.5] * 15)), copy, clock)
    assert found["throughput"].value == pytest.approx(20)
    assert found["throughput"].flags == ("short window", "probe failed: MemoryError: no memory left")


def test_on_a_gpu_steps_count_in_stretches_between_two_looks():
    found = Throughput.of_steps(trace(*[100.0] * 20, *[1.0] * 20, *[2.0] * 20), on_gpu=True).measurements()[0]
    assert found.value == 7.5
    assert "the stretches of 20 steps after the first" in found.method


def test_ten_steps_are_all_warm_up_and_nothing_is_no_zero():
    found = Throughput.of_steps(trace(*[1.0] * 10), on_gpu=False).measurements()
    assert {reading.value for reading in found} == {None}
    assert {reading.reason for reading in found} == {"only 10 steps, all of them warm-up"}
    found, _ = measured(watching(), Copy(clock := Clock(), lambda _: 1.0), clock)
    assert found["throughput"].reason == found["train_time"].reason == "nothing was trained"


def test_the_last_training_is_the_one_that_counts():
    """Such as the full fine-tuning after a linear probe, or a sequence's last stage, where penalties are."""
    found, _ = measured(watching(trace(*[0.1] * 300), trace(*[0.2] * 300)), None, Clock())
    assert found["throughput"].value == pytest.approx(50)


@given(st.floats(0.001, 1.5), st.floats(1, 1000))
def test_a_constant_rate_is_found_exactly_whatever_it_is(seconds, units):
    state = SteadyState()
    for _ in range(5000):
        state.feed(Stretch(20, 20 * seconds, 20 * units, 20 * units, 0.0))
        if state.enough:
            break
    assert state.enough
    assert not state.never_steady
    assert all(window.rate == pytest.approx(units / seconds) for window in state.windows)
    assert all(window.steps >= 20 and window.seconds >= 2 for window in state.windows)


@given(st.lists(st.floats(0.05, 5.0), min_size=1, max_size=200))
def test_no_window_counts_before_warm_up_is_over(seconds):
    state, passed, steps = SteadyState(), 0.0, 0
    for one in seconds:
        before = len(state.windows)
        state.feed(Stretch(1, one, 1.0, 1.0, 0.0))
        passed, steps = passed + one, steps + 1
        if len(state.windows) > before:
            assert passed >= 5 + 4 * 2
            assert steps >= 10 + 4 * 20
    assert state.seconds == pytest.approx(passed)
