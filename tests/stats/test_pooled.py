"""The mean change of all configurations together."""

import numpy as np
import pytest
from ftbench.stats.pooled import Cell, pool
from scipy import stats


def cells(table, block="t", step=0.0):
    return [Cell(block, dict(enumerate(row)), step) for row in np.asarray(table, float).tolist()]


def test_one_seed_and_one_block_are_the_one_sample_t_test():
    gains = np.random.default_rng(0).normal(-0.01, 0.02, 20)
    found = pool(cells(gains[:, None]))
    expected = stats.ttest_1samp(gains, 0)
    assert (found.mean, found.n, found.df) == (pytest.approx(gains.mean()), 20, 19)
    assert found.mean / found.error == pytest.approx(expected.statistic)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_blocks_of_equal_size_with_one_variance_are_the_analysis_of_variance_with_satterthwaites_df():
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 1, 8), rng.normal(3, 2, 8)
    found = pool([*cells(one[:, None], "a"), *cells(other[:, None], "b")])
    parts = [np.var(values, ddof=1) / 8 / 4 for values in (one, other)]
    assert found.error**2 == pytest.approx(sum(parts))
    # The difference of two means has the same variance but for the factor of four: Welch's test.
    assert found.df == pytest.approx(stats.ttest_ind(one, other, equal_var=False).df)


def test_a_seed_that_moves_all_cells_counts_as_one_observation():
    shift = np.array([-0.03, 0.01, -0.05])
    table = shift + np.random.default_rng(2).normal(0, 1e-4, (10, 3))
    found = pool(cells(table))
    seeds = table.mean(0)
    assert found.df == pytest.approx(2)
    assert found.error == pytest.approx(seeds.std(ddof=1) / 3**0.5)


def test_equal_losses_are_as_noisy_as_one_step_of_the_score():
    assert pool(cells(np.full((6, 2), -0.05), step=0.05)).error == pytest.approx(0.05 / 12**0.5)
    assert pool(cells(np.full((6, 2), -0.05))).error == 0


@pytest.mark.parametrize(
    "few",
    [
        cells([[0.1, 0.2]]),
        cells([[0.1, 0.2], [0.1, 0.3]]),
        cells([[0.1], [0.2], [0.1], [0.4], [0.2]]),
        [Cell("a", {0: 0.1, 1: 0.1}), Cell("b", {0: 0.1, 1: 0.0})],
    ],
)
def test_too_few_cells_have_no_mean(few):
    assert pool(few) is None


def test_configurations_alone_on_their_tasks_form_a_block():
    alone = [Cell(str(number), {0: gain, 1: gain}) for number, gain in enumerate((0.1, 0.2, 0.4, 0.3))]
    assert pool(alone).df == pytest.approx(3)
    assert pool([*alone[:1], *cells([[0.1, 0.2], [0.3, 0.1], [0.2, 0.2]])]).n == 4


def test_seeds_that_only_some_have_do_not_prevent_a_result():
    found = pool([Cell("t", {0: 0.1, 1: 0.2}), Cell("t", {1: 0.1, 2: 0.3}), Cell("t", {2: 0.2})])
    assert (found.mean, found.n) == (pytest.approx((0.15 + 0.2 + 0.2) / 3), 3)


def test_a_configuration_alone_on_its_task_joins_the_last_block_of_several():
    one, other, alone = [0.0, 0.1, 0.05], [0.5, 0.9, 0.6], 0.2
    table = [*cells(np.array(one)[:, None], "a"), *cells(np.array(other)[:, None], "b"), *cells([[alone]], "c")]
    within = sum(np.square(values - np.mean(values)).sum() for values in (one, [*other, alone]))
    assert pool(table).deviation == pytest.approx((within / (2 + 3)) ** 0.5)
