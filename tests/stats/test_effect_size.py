"""Effect sizes of paired differences."""

import numpy as np
import pytest
from ftbench.stats import effect
from hypothesis import given
from hypothesis import strategies as st


def test_an_effect_by_hand():
    found = effect([0.80, 0.80, 0.80], [0.90, 0.80, 0.85])
    assert found.points == pytest.approx(5.0)
    # Errors fall from 20 % to 15 %, by a quarter.
    assert found.error_reduction == pytest.approx(0.25)
    assert found.d_z == pytest.approx(0.05 / 0.05)
    assert found.p_better == pytest.approx((2 + 0.5) / 3)


def test_where_less_is_better_the_score_is_the_error():
    found = effect([0.20, 0.10], [0.10, 0.05], lower=True)
    assert (found.error_reduction, found.p_better) == (pytest.approx(0.5), 1.0)


def test_what_cannot_be_said_is_none():
    assert effect([1.0, 1.0], [0.9, 0.8]).error_reduction is None
    assert effect([3.0, 4.0], [2.0, 2.5], shares=False).error_reduction is None
    assert effect([0.5], [0.6]).d_z is None
    assert effect([0.5, 0.6], [0.6, 0.7]).d_z is None
    with pytest.raises(ValueError, match="at least one pair"):
        effect([], [])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9))
def test_the_two_directions_of_p_better_add_up_to_one(pairs):
    first, second = (list(side) for side in zip(*pairs, strict=True))
    assert effect(first, second).p_better + effect(second, first).p_better == pytest.approx(1)
    assert effect(first, second).p_better + effect(first, second, lower=True).p_better == pytest.approx(1)
    assert effect(first, second).points == pytest.approx(100 * np.mean(np.subtract(second, first)))
