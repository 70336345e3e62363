"""What a training is charged: all that its strategy needs, whoever did it."""

from ftbench import Measurement
from ftbench.api.measurement import Phase, Shared, charged_training

PHASES = [
    Phase("load", 5.0),
    Phase("prepare", 0.5),
    Phase("features", 0.25),
    Phase("teacher", 3.0),
    Phase("warm-up", 1.0),
    Phase("train", 2.0),
    Phase("validate", 7.0),
    Phase("evaluate", 7.0),
]


def timed(value=3.0, **more):
    return Measurement("train_time", value, "s", "lower", scope="train", **more)


def test_phases_of_the_strategy_count_and_those_of_the_harness_do_not():
    (found,) = charged_training([timed()], PHASES, [])
    assert (found.name, found.value, found.unit, found.direction) == ("charged_train_time", 6.75, "s", "lower")


def test_shared_work_counts_as_long_as_it_took_and_once():
    shared = [Shared("features", "features", 1.5, 0.25), Shared("source", "train", 9.0, 0.0)]
    # The time of a training that another trial did is part of the training time already.
    (found,) = charged_training([timed(12.0)], PHASES, shared)
    assert found.value == 12.0 + 3.75 + 1.25


def test_a_strategys_own_phase_counts():
    (found,) = charged_training([timed()], [*PHASES, Phase("my-search", 10.0)], [])
    assert found.value == 16.75


def test_without_a_training_there_is_its_reason_and_without_a_clock_nothing():
    (found,) = charged_training([timed(None, reason="nothing was trained")], PHASES, [])
    assert (found.name, found.value, found.reason) == ("charged_train_time", None, "nothing was trained")
    assert charged_training([], PHASES, []) == ()
