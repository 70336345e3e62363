"""What validations decide: against torch's own rule, and by hand."""

import math

import pytest
import torch
from ftbench import Measurement, Training, UserError
from ftbench.training.early_stopping import Patience, ValidationMonitor
from hypothesis import given, settings
from hypothesis import strategies as st


def scores(loss, accuracy=0.5):
    return [
        Measurement("accuracy", accuracy, "1", "higher"),
        Measurement("loss", loss, "nat", "lower"),
        Measurement("seen", 20.0, "1"),
    ]


@settings(deadline=None)
@given(
    losses=st.lists(st.floats(0, 3), max_size=30),
    patience=st.integers(1, 4),
    least=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_plateau_falls_where_torchs_does(losses, patience, least):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=least, threshold_mode="abs", eps=0
    )
    ours = ValidationMonitor(Training(steps=1, schedule="plateau", step_factor=0.5, patience=patience, min_delta=least))
    for loss in losses:
        theirs.step(loss)
        ours.update(scores(loss))
        assert ours.factor == optimizer.param_groups[0]["lr"]


def stops_at(losses, **knobs):
    """Return the number of the validation after which training stops, from 1; None if it does not."""
    monitor = ValidationMonitor(Training(steps=1, **knobs))
    for number, loss in enumerate(losses, 1):
        monitor.update(scores(loss))
        if monitor.stops:
            return number
    return None


@pytest.mark.parametrize(
    ("losses", "knobs", "expected"),
    [
        ([3, 2, 2.5, 1, 1.5, 1.6, 1.7], {"early_stopping": 2}, 6),
        ([3, 2, 2.5, 1, 1.5, 1.6, 1.7], {"early_stopping": 3}, 7),
        ([3, 2, 2.5, 1, 1.5, 1.6, 1.7], {"early_stopping": 4}, None),
        ([3, 2, 2.5, 1, 1.5, 1.6, 1.7], {}, None),
        ([1, 1], {"early_stopping": 1}, 2),
        # From 3 to 2 is not more than 1 better; from 3 to 1.9, two validations on, it is.
        ([3, 2, 1.9, 1, 1], {"early_stopping": 2, "min_delta": 1.0}, 5),
    ],
)
def test_training_stops_after_so_many_validations_in_a_row_that_were_no_better(losses, knobs, expected):
    assert stops_at(losses, **knobs) == expected


def test_the_best_is_the_first_of_equals_whatever_the_least_difference():
    monitor = ValidationMonitor(Training(steps=1, keep="best", min_delta=5.0))
    assert [monitor.update(scores(loss)) for loss in (3.0, 2.0, 2.0, 2.5, math.nan, 1.9)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]
    assert not any(ValidationMonitor(Training(steps=1)).update(scores(loss)) for loss in (3.0, 2.0))


def test_other_schedules_do_not_fall():
    monitor = ValidationMonitor(Training(steps=1, schedule="linear", patience=1))
    for loss in (1.0, 2.0, 3.0):
        monitor.update(scores(loss))
    assert monitor.factor == 1.0


def test_a_metric_of_which_more_is_better_is_watched_the_other_way():
    monitor = ValidationMonitor(Training(steps=1, schedule="plateau", patience=1, watch="accuracy"))
    for accuracy, factor in ((0.5, 1.0), (0.6, 1.0), (0.6, 0.1), (0.7, 0.1), (0.2, 0.01)):
        monitor.update(scores(1.0, accuracy))
        assert monitor.factor == pytest.approx(factor)


def test_what_could_not_be_measured_is_not_better():
    patience = Patience(2, 0.0)
    assert [patience.update(value) for value in (math.nan, 1.0, math.nan, math.nan, 2.0)] == [
        False,
        False,
        False,
        True,
        False,
    ]
    monitor = ValidationMonitor(Training(steps=1, schedule="plateau", patience=1))
    monitor.update([Measurement("loss", None, "nat", "lower", reason="no example")])
    assert monitor.factor == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["los", "seen"])
def test_a_metric_that_cannot_be_watched_is_told_with_those_that_can(name):
    monitor = ValidationMonitor(Training(steps=1, schedule="plateau", watch=name))
    with pytest.raises(
        UserError, match=f"training.watch: '{name}' is not a metric that can be watched; this task has accuracy, loss"
    ):
        monitor.update(scores(1.0))
