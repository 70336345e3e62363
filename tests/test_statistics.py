"""Statistics against scipy, and against simulation."""

import numpy as np
import pytest
from ftbench import estimate, holm, paired
from ftbench.statistics import pareto
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

_scores = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@given(_scores)
def test_an_interval_is_scipys(values):
    found = estimate(values)
    if np.std(values) < 1e-9:
        assert found.low == pytest.approx(found.mean)
        return
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))


def test_one_or_two_seeds_support_no_claim_and_one_has_no_interval():
    found = estimate([0.5])
    assert (found.mean, found.n, found.low, found.high) == (0.5, 1, None, None)
    assert paired([0.5], [0.9]).verdict == paired([0.5, 0.6], [0.9, 0.95]).verdict == "too few seeds"


def test_no_values_and_values_that_are_no_numbers_are_refused():
    for values in ([], [0.5, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="at least one finite value"):
            estimate(values)
    with pytest.raises(ValueError, match="same seeds"):
        paired([1.0], [1.0, 2.0])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=10))
def test_a_paired_test_is_scipys(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    if np.std(second - first) < 1e-9:
        return
    expected = stats.ttest_rel(second, first)
    found = paired(first.tolist(), second.tolist())
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.estimate.low, found.estimate.high) == (pytest.approx(interval.low, abs=1e-9), pytest.approx(interval.high, abs=1e-9))


def test_the_four_verdicts():
    base = [0.80, 0.81, 0.79, 0.80, 0.80]
    assert paired(base, [v + 0.05 + d for v, d in zip(base, (0, 0.001, -0.001, 0.002, 0), strict=True)]).verdict == "better"
    assert paired(base, [v - 0.05 + d for v, d in zip(base, (0, 0.001, -0.001, 0.002, 0), strict=True)]).verdict == "worse"
    assert paired(base, [v + d for v, d in zip(base, (0, 0.001, -0.001, 0.001, 0), strict=True)]).verdict == "equivalent"
    assert paired(base, [v + d for v, d in zip(base, (0.05, -0.05, 0.02, -0.03, 0), strict=True)]).verdict == "undecided"


def test_identical_scores_are_equivalent_and_a_constant_lead_is_certain():
    assert (paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).p, paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).verdict) == (1.0, "equivalent")
    assert paired([0.5, 0.75, 0.25], [1.0, 1.25, 0.75]).verdict == "better"


def test_holm_is_the_published_example():
    # Holm 1979 on p = .01 .04 .03 .005: .005·4, .01·3, .03·2, then the largest so far.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(adjusted[i] <= adjusted[j] for i in range(len(p_values)) for j in range(len(p_values)) if p_values[i] < p_values[j])


def test_intervals_cover_95_percent():
    rng = np.random.default_rng(0)
    for n in (3, 5, 10):
        hits = 0
        for _ in range(2000):
            found = estimate(rng.normal(size=n).tolist())
            hits += found.low <= 0 <= found.high
        assert 0.93 <= hits / 2000 <= 0.97


def test_the_front_is_what_nothing_beats_in_both():
    assert pareto([(1, 1), (2, 0), (0, 2), (0, 0), (1, 1)]) == [True, True, True, False, True]
