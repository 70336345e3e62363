"""Pareto fronts, against their definition."""

import numpy as np
import pytest
from ftbench.stats.pareto import _FEW, front_chances, pareto
from ftbench.stats.ranks import resampled
from hypothesis import given, settings
from hypothesis import strategies as st


def test_the_front_is_what_nothing_beats_in_both():
    assert pareto([(1, 1), (2, 0), (0, 2), (0, 0), (1, 1)]) == [True, True, True, False, True]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 4), st.sampled_from([0, 1, 3]))
def test_a_chance_is_the_share_of_drawn_fronts_it_stands_on_also_with_ties(seed, points, seeds, digits):
    rng = np.random.default_rng(seed)
    quality, price = (np.round(rng.random((seeds, points)), digits) for _ in range(2))
    drawn = resampled(np.concatenate([quality, price], axis=1), 40, np.random.default_rng(0))
    fronts = [pareto([*zip(row[:points], row[points:], strict=True)]) for row in drawn.tolist()]
    assert front_chances(quality, price, draws=40) == pytest.approx(np.mean(fronts, axis=0))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 3]))
def test_the_chances_of_many_points_which_are_sorted_are_those_of_the_definition(seed, digits):
    rng = np.random.default_rng(seed)
    quality, price = (np.round(rng.random((3, _FEW + 5)), digits) for _ in range(2))
    drawn = resampled(np.concatenate([quality, price], axis=1), 20, np.random.default_rng(0))
    fronts = [pareto([*zip(row[: _FEW + 5], row[_FEW + 5 :], strict=True)]) for row in drawn.tolist()]
    assert front_chances(quality, price, draws=20) == pytest.approx(np.mean(fronts, axis=0))
