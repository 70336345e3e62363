"""Latency of the finished model: percentiles over passes that were waited for."""

import numpy as np
import pytest
from ftbench import Watch

from ftbench_plugins.meters.latency import LatencyMeter


class Answering:
    """A finished model with a given latency, longer for larger batches."""

    unit = "tokens"

    def __init__(self, seconds, fails_for=None):
        self.now, self.seconds, self.fails_for, self.pending = 0.0, seconds, fails_for, 0.0

    def answers(self, batch_size):
        number = 0
        while True:
            if batch_size == self.fails_for:
                raise MemoryError("no memory left")
            # The device runs asynchronously: only synchronising shows how long it takes.
            self.pending = self.seconds(number) * (1 if batch_size == 1 else 8)
            number += 1
            yield 10.0 * batch_size

    def synchronise(self):
        self.now, self.pending = self.now + self.pending, 0.0

    def clock(self):
        return self.now


def measured(finished, profile="normal"):
    meter = LatencyMeter()
    meter.clock = finished.clock
    meter.start(Watch("cpu", 0, profile=profile))
    meter.examine(finished)
    found = meter.stop()
    assert found == meter.stop()
    return {reading.name: reading for reading in found}


def test_percentiles_are_of_passes_that_were_waited_for():
    finished = Answering(lambda number: 0.02 + 0.001 * (number % 20))
    found = measured(finished)
    seconds = [0.02 + 0.001 * (number % 20) for number in range(10, 110)]
    assert found["latency_batch_1_p50"].value == pytest.approx(np.percentile(seconds, 50))
    assert found["latency_batch_1_p95"].value == pytest.approx(np.percentile(seconds, 95))
    assert found["latency_batch_32_p50"].value == pytest.approx(8 * np.percentile(seconds, 50), rel=0.05)
    assert (found["latency_batch_1_p50"].unit, found["latency_batch_1_p50"].flags) == ("s", ())
    assert "100 forward passes" in found["latency_batch_1_p50"].method
    rate = found["inference_throughput"]
    assert (rate.unit, rate.direction) == ("tokens/s", "higher")
    assert rate.value == pytest.approx(320 / (8 * np.mean(seconds)), rel=0.05)


def test_slow_models_are_given_up_on_after_a_while_and_flagged():
    finished = Answering(lambda _: 3.0)
    found = measured(finished)
    assert finished.now < 10 * 3 * 9 + 10 + 3 + 10 + 24 + 1
    assert found["latency_batch_1_p95"].flags == ("short window",)


def test_the_smoke_profile_takes_a_moment():
    finished = Answering(lambda _: 0.001)
    found = measured(finished, "smoke")
    assert finished.now < 0.3
    assert "20 forward passes" in found["latency_batch_32_p50"].method


def test_a_batch_that_has_no_room_is_a_reason_and_the_other_is_measured():
    found = measured(Answering(lambda _: 0.01, fails_for=32))
    assert found["latency_batch_1_p50"].value == pytest.approx(0.01)
    assert found["latency_batch_32_p50"].reason == "inference with batches of 32 failed: MemoryError: no memory left"
    assert found["inference_throughput"].value is None


def test_a_trial_that_failed_has_no_latency_and_no_zero():
    meter = LatencyMeter()
    meter.start(Watch("cpu", 0))
    assert {(m.value, m.reason) for m in meter.stop()} == {(None, "the trial ended before it could be measured")}
