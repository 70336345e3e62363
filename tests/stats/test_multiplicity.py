"""Corrections for multiple comparisons, against published examples and statsmodels."""

import numpy as np
import pytest
from ftbench.stats import adjusted, benjamini_hochberg, compare_all, compare_with, holm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats import multitest

_p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_is_the_published_example():
    # Holm 1979 on p = .01 .04 .03 .005: .005·4, .01·3, .03·2, then the largest so far.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(_p_values)
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p_values):
    found = holm(p_values)
    assert all(a >= p for a, p in zip(found, p_values, strict=True))
    assert all(
        found[i] <= found[j] for i in range(len(p_values)) for j in range(len(p_values)) if p_values[i] < p_values[j]
    )


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("digits", [1, 9])
def test_holm_and_benjamini_hochberg_are_those_of_statsmodels_also_with_ties(count, digits):
    p_values = np.round(np.random.default_rng(count).random(count) ** 3, digits).tolist()
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1], abs=1e-9)
    assert benjamini_hochberg(p_values) == pytest.approx(
        multitest.multipletests(p_values, method="fdr_bh")[1], abs=1e-9
    )


def test_what_has_no_p_value_is_not_counted():
    assert holm([]) == benjamini_hochberg([]) == []
    assert adjusted({"a": 0.01, "b": None, "c": 0.04}) == {"a": 0.02, "b": None, "c": 0.04}


def test_a_baseline_meets_everyone_once_and_all_pairs_meet():
    rng = np.random.default_rng(0)
    scores = {
        name: (0.8 + lead + rng.normal(0, 0.01, 5)).tolist()
        for name, lead in (("a", 0), ("b", 0.1), ("c", 0), ("d", -0.1))
    }
    with_a, pairs = compare_with("a", scores), compare_all(scores)
    assert [(c.first, c.second) for c in with_a] == [("a", "b"), ("a", "c"), ("a", "d")]
    assert len(pairs) == 6
    assert with_a[0].difference.estimate.mean == pytest.approx(np.mean(scores["b"]) - np.mean(scores["a"]))
    assert [c.p_adjusted for c in with_a] == pytest.approx(holm([c.difference.p for c in with_a]))
    assert [c.p_adjusted for c in pairs] == pytest.approx(holm([c.difference.p for c in pairs]))
    # More comparisons, more correction.
    assert pairs[0].p_adjusted > with_a[0].p_adjusted
