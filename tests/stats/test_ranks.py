"""Ranks over tasks, against scipy, scikit-posthocs and published figures."""

import math

import numpy as np
import pytest
import scikit_posthocs
from ftbench.stats.ranks import critical_difference, friedman, rank_draws, ranks, resampled, tasks_needed, wilcoxon
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats


def scores(seed, tasks, strategies, digits=12):
    return np.round(np.random.default_rng(seed).random((tasks, strategies)), digits)


def test_the_highest_score_has_rank_one_and_rounding_is_no_difference():
    assert ranks(np.array([[0.5, 0.9, 0.5, 0.1]])).tolist() == [[2.5, 1.0, 2.5, 4.0]]
    assert ranks(np.array([0.1 + 0.2, 0.3])).tolist() == [1.5, 1.5]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 9), st.sampled_from([1, 12]))
def test_ranks_are_scipys_also_with_ties(seed, tasks, strategies, digits):
    table = scores(seed, tasks, strategies, digits)
    assert (ranks(table) == stats.rankdata(-table, axis=-1)).all()
    assert (ranks(table[0]) == stats.rankdata(-table[0])).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(3, 12), st.integers(3, 7), st.sampled_from([1, 12]))
def test_friedman_is_scipys_also_with_ties(seed, tasks, strategies, digits):
    table = scores(seed, tasks, strategies, digits)
    expected = stats.friedmanchisquare(*table.T)
    found = friedman(table)
    assert found.chi_squared == pytest.approx(expected.statistic, abs=1e-9)
    if math.isfinite(found.f):
        f = (tasks - 1) * expected.statistic / (tasks * (strategies - 1) - expected.statistic)
        assert found.f == pytest.approx(f, rel=1e-9)
        assert found.p == pytest.approx(stats.f.sf(f, strategies - 1, (strategies - 1) * (tasks - 1)), abs=1e-9)


def test_friedman_at_both_ends():
    alike = np.tile([0.9, 0.8, 0.7], (4, 1))
    assert (friedman(alike).f, friedman(alike).p) == (math.inf, pytest.approx(1 / 6**3))
    assert friedman(np.zeros((4, 3))).p == 1.0
    for shape in ((1, 3), (4, 2)):
        with pytest.raises(ValueError, match="two tasks and three strategies"):
            friedman(np.zeros(shape))


def test_demsars_example_of_the_iman_davenport_statistic():
    # Demšar 2006, section 3.2.2: 14 data sets, 4 algorithms, mean ranks 3.143, 2.000, 2.893, 1.964:
    # χ² = 9.28, F = 3.69.
    published = np.array(
        [
            [0.763, 0.768, 0.771, 0.798],
            [0.599, 0.591, 0.590, 0.569],
            [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657],
            [0.882, 0.888, 0.886, 0.898],
            [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685],
            [0.583, 0.583, 0.563, 0.625],
            [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000],
            [0.940, 0.962, 0.965, 0.962],
            [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.9751, 0.975],
            [0.957, 0.978, 0.946, 0.970],
        ]
    )
    assert ranks(published).mean(0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    n, k = published.shape
    without_ties = 12 * n / (k * (k + 1)) * ((ranks(published).mean(0) ** 2).sum() - k * (k + 1) ** 2 / 4)
    assert without_ties == pytest.approx(9.28, abs=0.01)
    # Ours is corrected for ties, and so a little larger.
    assert (
        without_ties < friedman(published).chi_squared == pytest.approx(stats.friedmanchisquare(*published.T).statistic)
    )
    assert critical_difference(4, 14) == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert critical_difference(5, 30) == pytest.approx(2.728 * math.sqrt(5 * 6 / (6 * 30)), abs=1e-3)


def test_nemenyis_difference_is_where_scikit_posthocs_has_five_percent():
    table = scores(3, 12, 4)
    p_values = scikit_posthocs.posthoc_nemenyi_friedman(table).to_numpy()
    mean = ranks(table).mean(0)
    gap = abs(mean[0] - mean[1]) * math.sqrt(12)
    expected = stats.studentized_range.sf(gap / math.sqrt(4 * 5 / 6) * math.sqrt(2), 4, np.inf)
    assert p_values[0, 1] == pytest.approx(expected, abs=1e-9)
    at_five = stats.studentized_range.sf(
        critical_difference(4, 12) / math.sqrt(4 * 5 / (6 * 12)) * math.sqrt(2), 4, np.inf
    )
    assert at_five == pytest.approx(0.05, abs=1e-9)


def test_wilcoxon_is_that_of_scikit_posthocs():
    table = scores(0, 11, 4)
    expected = scikit_posthocs.posthoc_wilcoxon(list(table.T)).to_numpy()
    for (one, other), p in wilcoxon(table).items():
        assert p == pytest.approx(expected[one, other], abs=1e-9)
    assert wilcoxon(np.zeros((5, 2))) == {(0, 1): 1.0}


@pytest.mark.parametrize(("strategies", "tasks"), [(2, 6), (5, 9), (8, 11)])
def test_so_many_tasks_are_needed_before_a_pair_could_be_told_apart(strategies, tasks):
    assert tasks_needed(strategies) == tasks
    agreed = np.tile(np.arange(strategies, dtype=float), (tasks, 1)) * np.random.default_rng(0).random((tasks, 1))
    comparisons = strategies * (strategies - 1) / 2
    assert wilcoxon(agreed)[0, 1] * comparisons < 0.05
    assert wilcoxon(agreed[:-1])[0, 1] * comparisons > 0.05


def test_seeds_are_drawn_together_for_all_and_scatter_as_they_should():
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=(3, 1)) + np.array([[0.0, 1.0]])
    drawn = resampled(seeds, 20_000, rng)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(1.0)
    assert drawn[:, 0].std() == pytest.approx(stats.sem(seeds[:, 0]), rel=0.02)
    assert (resampled(seeds[:1], 5, rng) == seeds[0]).all()


def test_the_same_draws_every_time_and_a_clear_winner_is_always_first():
    rng = np.random.default_rng(0)
    blocks = [np.array([0.9, 0.5, 0.5]) + rng.normal(0, 0.01, (5, 3)) for _ in range(6)]
    drawn = rank_draws(blocks)
    assert drawn.shape == (10_000, 3)
    assert (drawn[:, 0] == 1).all()
    assert drawn.sum(1) == pytest.approx(6)
    assert np.ptp(drawn[:, 1]) > 0.5
    assert (drawn == rank_draws(blocks)).all()


def test_drawn_ranks_scatter_over_tasks_as_ranks_of_tasks_do():
    # Seeds without noise: only the bootstrap over the ranks of the tasks is left.
    rng = np.random.default_rng(1)
    means = rng.random((8, 3))
    drawn = rank_draws([np.tile(mean, (3, 1)) for mean in means])
    assert drawn.mean(0) == pytest.approx(ranks(means).mean(0), abs=0.02)
    assert drawn.std(0) == pytest.approx(ranks(means).std(0) / math.sqrt(8), rel=0.03)
