"""Uncertainty over seeds and items: against the two-way layout, statsmodels, and simulation."""

import numpy as np
import pytest
import statsmodels.api as sm
from ftbench.stats.crossed import clustered, crossed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols

from tests.support.simulated import crossed_scores


def test_the_mean_squares_are_those_of_an_analysis_of_variance():
    scores = crossed_scores(np.random.default_rng(0), seeds=4, items=7)
    table = [{"seed": s, "item": i, "score": scores[s, i]} for s in range(4) for i in range(7)]
    import pandas as pd

    anova = sm.stats.anova_lm(ols("score ~ C(seed) + C(item)", pd.DataFrame(table)).fit())
    of_seeds, of_items, residual = anova["sum_sq"] / anova["df"]
    found = crossed(scores)
    variance = max(of_seeds + of_items - residual, of_seeds, of_items) / 28
    assert found.error == pytest.approx(variance**0.5, abs=1e-9)
    assert found.df == pytest.approx((of_seeds + of_items) ** 2 / (of_seeds**2 / 3 + of_items**2 / 6), abs=1e-9)
    assert found.mean == pytest.approx(scores.mean())
    half = stats.t.ppf(0.975, found.df) * found.error
    assert found.half_width() == pytest.approx(half, abs=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.mean) / found.error, found.df), abs=1e-9)


def test_items_that_all_seeds_answer_alike_leave_the_noise_of_the_items():
    items = np.random.default_rng(0).normal(size=50)
    found = crossed(np.stack([items] * 3))
    assert found.error == pytest.approx(stats.sem(items))
    assert found.df == pytest.approx(49)


def test_seeds_that_disagree_on_items_do_not_hide_the_noise_of_the_items():
    """Without a difference between seeds, subtracting what they disagree on would leave less than the items' noise."""
    items, disagreement = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.9, -0.9, 0.9, -0.9])
    scores = np.stack([items + disagreement, items - disagreement])
    residual = 2 * (disagreement**2).sum() / 3
    of_items = 2 * items.var(ddof=1)
    assert crossed(scores).error == pytest.approx(np.sqrt(of_items / 8))
    assert crossed(scores).error > np.sqrt((of_items - residual) / 8)
    assert crossed(scores.T).error == pytest.approx(crossed(scores).error)


def test_seeds_that_differ_on_every_item_alike_leave_the_noise_of_the_seeds():
    seeds = np.array([0.1, 0.3, 0.8, 0.9])
    found = crossed(np.repeat(seeds[:, None], 50, axis=1))
    assert found.error == pytest.approx(stats.sem(seeds))
    assert found.df == pytest.approx(3)


def test_a_few_items_that_all_came_out_the_same_are_no_certainty():
    few, many = (crossed(np.zeros((3, items)), largest=1.0).half_width() for items in (10, 1000))
    # No error on ten items: the error rate may still be up to 26 % (the rule of three gives 3/n).
    assert few == pytest.approx(0.26, abs=0.03)
    assert many < 0.003
    assert crossed(np.zeros((3, 10))).half_width() == 0.0
    # If items do differ, their variance counts, even for a few speakers with nearly equal scores.
    scores = np.random.default_rng(0).normal(0.9, 0.01, (3, 20))
    assert crossed(scores, largest=1.0) == crossed(scores)
    rounded = np.full((3, 10), 0.1) + np.array([0, 1e-17, 0])[:, None]
    assert crossed(rounded, largest=1.0).half_width() == pytest.approx(few)


def test_what_is_no_table_of_scores_is_refused():
    for scores in (np.zeros((1, 5)), np.zeros((3, 1)), np.zeros(4), np.array([[0, np.nan], [0, 0]])):
        with pytest.raises(ValueError, match="two seeds and two items"):
            crossed(scores)


def test_groups_give_the_cluster_robust_error_of_statsmodels():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), rng.integers(1, 9, 12))
    scores = rng.normal(size=12)[groups] + rng.normal(size=len(groups))
    model = sm.OLS(scores, np.ones_like(scores)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    joined = clustered(np.stack([scores, scores]), groups)
    assert joined.shape == (2, 12)
    assert joined[0].mean() == pytest.approx(scores.mean())
    assert stats.sem(joined[0]) == pytest.approx(model.bse[0], rel=1e-4)  # statsmodels multiplies by (n - 1)/(n - 1)
    assert crossed(joined).error == pytest.approx(stats.sem(joined[0]))


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(2, 30), st.integers(0, 1000))
def test_every_item_a_group_of_its_own_changes_nothing(seeds, items, seed):
    scores = crossed_scores(np.random.default_rng(seed), seeds=seeds, items=items)
    assert clustered(scores, np.arange(items)) == pytest.approx(scores)
