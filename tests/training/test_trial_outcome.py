"""What a sequence of tasks comes to, worked out by hand."""

import pytest
from ftbench import Measurement
from ftbench.training.trial_outcome import sequence_measurements

ACCURACY = Measurement("accuracy", 1.0, "1", "higher")


def test_forgetting_and_transfer_are_worked_out_by_hand():
    found = {
        m.name: m.value
        for m in sequence_measurements([[0.9, None, None], [0.7, 0.8, None], [0.75, 0.5, 0.6]], ACCURACY)
    }
    assert found["accuracy"] == pytest.approx((0.75 + 0.5 + 0.6) / 3)
    assert found["forgetting"] == pytest.approx(((0.9 - 0.75) + (0.8 - 0.5)) / 2)
    assert found["backward_transfer"] == pytest.approx(((0.75 - 0.9) + (0.5 - 0.8)) / 2)


def test_forgetting_of_errors_is_how_many_more_there_are():
    errors = Measurement("word_error_rate", 0.0, "1", "lower")
    found = {m.name: m for m in sequence_measurements([[0.1, None], [0.4, 0.2]], errors)}
    assert found["word_error_rate"].value == pytest.approx(0.3)
    assert found["word_error_rate"].direction == "lower"
    assert found["forgetting"].value == pytest.approx(0.3)
    assert found["backward_transfer"].value == pytest.approx(-0.3)


def test_where_a_task_has_no_score_a_sequence_has_none_and_says_so():
    found = sequence_measurements([[None, None], [0.4, 0.2]], ACCURACY)
    assert [m.value for m in found] == [None, None, None]
    assert found[1].reason == "accuracy has no value for one of the tasks"
