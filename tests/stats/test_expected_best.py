"""The expected best of several tries, against every draw there is."""

import itertools

import numpy as np
import pytest
from ftbench.stats.expected_best import expected_best
from hypothesis import given
from hypothesis import strategies as st

scores = st.lists(st.floats(-10, 10), min_size=1, max_size=5)


@given(scores, st.integers(1, 4))
def test_it_is_the_mean_of_the_maximum_over_every_draw(values, count):
    draws = [max(draw) for draw in itertools.product(values, repeat=count)]
    assert expected_best(values, count) == pytest.approx(np.mean(draws), abs=1e-9)


@given(scores)
def test_it_grows_from_the_mean_towards_the_best(values):
    found = [expected_best(values, count) for count in range(1, 40)]
    assert found[0] == pytest.approx(np.mean(values), abs=1e-9)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(found))
    assert found[-1] <= max(values) + 1e-9


@pytest.mark.parametrize(("values", "count"), [([], 1), ([1.0], 0)])
def test_nothing_has_no_expected_best(values, count):
    with pytest.raises(ValueError, match="needs a score and a draw"):
        expected_best(values, count)
