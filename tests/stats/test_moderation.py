"""Moderated paired differences, against limma, the paired t-test and their own limits."""

import math

import numpy as np
import pytest
from ftbench.stats import compare_all, holm, paired
from ftbench.stats.moderation import fit_prior, of_family, paired_family
from scipy import stats

# Expected figures by limma's `squeezeVar` (version 3.55.1, as ported to Python by inmoose 0.9.1): prior degrees of
# freedom, prior variance, posterior variances (d₀·s₀² + d·s²)/(d₀ + d).
LIMMA = [
    pytest.param(
        [0.002, 0.05, 0.01, 0.90, 0.08, 0.04],
        2,
        1.48764416,
        0.03001444,
        [0.01394948, 0.04147522, 0.0185371, 0.52891027, 0.05867881, 0.03574069],
        id="six variances of three seeds each",
    ),
    pytest.param(
        [0.5, 4.0, 1.0, 0.2, 9.0],
        [2, 4, 4, 3, 2],
        2.28931795,
        1.18811666,
        [0.86726534, 2.97647168, 1.06847465, 0.62767578, 4.83059942],
        id="different numbers of seeds",
    ),
    pytest.param(
        [1.2e-4, 3.0e-4, 2.2e-4, 1.7e-4, 2.6e-4, 1.5e-4, 2.0e-4, 2.4e-4],
        4,
        math.inf,
        2.075e-4,
        [2.075e-4] * 8,
        id="variances that differ no more than by chance",
    ),
]


def all_of(scores, **options):
    first, second = np.triu_indices(scores.shape[1], 1)
    return paired_family(scores, first, second, **options)


@pytest.mark.parametrize(("variances", "df", "prior_df", "prior_variance", "posterior"), LIMMA)
def test_the_prior_and_the_posterior_are_those_of_limma(variances, df, prior_df, prior_variance, posterior):
    found = fit_prior(np.array(variances), df)
    assert found.df == pytest.approx(prior_df, rel=1e-6)
    assert found.variance == pytest.approx(prior_variance, rel=1e-6)
    assert found.shrunk(np.array(variances), df) == pytest.approx(posterior, rel=1e-5)


def test_a_prior_is_recovered_from_many_variances_also_if_the_smallest_are_winsorised():
    rng = np.random.default_rng(0)
    true = 0.5 * 8 / rng.chisquare(8, 20_000)
    drawn = true * rng.chisquare(3, 20_000) / 3
    found = fit_prior(drawn, 3)
    assert (found.df, found.variance) == (pytest.approx(8, rel=0.1), pytest.approx(0.5, rel=0.03))
    # The correction for winsorising takes the variances as equal: the prior weighs somewhat more than it should.
    found = fit_prior(drawn, 3, 0.25)
    assert 8 < found.df < 14
    assert found.variance == pytest.approx(0.5, rel=0.06)


def test_variances_near_zero_do_not_ruin_a_winsorised_prior():
    rng = np.random.default_rng(1)
    drawn = rng.chisquare(4, 100) / 4
    drawn[:5] = 1e-8
    assert fit_prior(drawn, 4).df < 2
    assert fit_prior(drawn, 4, 0.25).df > 8


def test_two_strategies_get_the_paired_t_test():
    rng = np.random.default_rng(2)
    scores = 0.8 + rng.normal(0, 0.02, (4, 2))
    found, expected = all_of(scores), stats.ttest_rel(scores[:, 1], scores[:, 0])
    assert found.p[0] == pytest.approx(expected.pvalue)
    assert found.df[0] == 3
    (one,), other = of_family(found), paired(scores[:, 0], scores[:, 1])
    assert (one.estimate.low, one.estimate.high, one.p, one.verdict) == pytest.approx(
        (other.estimate.low, other.estimate.high, other.p, other.verdict)
    )


def test_means_and_variances_are_those_of_each_pair_also_where_seeds_are_missing():
    scores = 0.7 + np.random.default_rng(3).normal(0, 0.02, (5, 4))
    scores[0, 1] = scores[3, 2] = scores[:, 3] = np.nan
    scores[1, 3] = 0.9
    found = all_of(scores)
    for place, (one, other) in enumerate(zip(found.first, found.second, strict=True)):
        own = scores[:, other] - scores[:, one]
        own = own[np.isfinite(own)]
        assert found.n[place] == len(own)
        if len(own) > 1:
            assert found.mean[place] == pytest.approx(own.mean())
            assert found.variance[place] == pytest.approx(own.var(ddof=1))
        else:
            assert of_family(found)[place].verdict == "too few seeds"


def test_degrees_of_freedom_stay_below_those_of_the_table():
    rng = np.random.default_rng(4)
    for seeds, count in ((2, 4), (3, 8), (5, 6)):
        found = all_of(rng.normal(0, 0.02, (seeds, count)))
        assert (found.df <= (count - 1) * (seeds - 1)).all()
        assert (found.df >= seeds - 1).all()


def test_no_variance_is_below_one_step_of_the_score():
    scores = np.round(0.7 + np.random.default_rng(5).normal(0, 0.02, (3, 4)), 2)
    scores[:, 1] = scores[:, 0]
    found = all_of(scores, step=0.01)
    assert found.variance[0] == 0
    assert found.error[0] ** 2 * 3 >= 0.01**2
    assert found.p[0] == 1


def test_strategies_outside_neither_inform_nor_use_the_prior():
    rng = np.random.default_rng(6)
    scores = np.column_stack([0.8 + rng.normal(0, 0.01, (3, 5)), rng.normal(0.4, 0.2, 3)])
    inside, whole = all_of(scores[:, :5]), all_of(scores, outside=[5])
    pairs = [place for place, other in enumerate(whole.second) if other != 5]
    assert whole.error[pairs] == pytest.approx(inside.error)
    own = [place for place in range(len(whole.second)) if place not in pairs]
    assert whole.p[own] == pytest.approx([stats.ttest_rel(scores[:, 5], scores[:, i]).pvalue for i in range(5)])


def test_a_strategy_that_scatters_keeps_its_variance_and_is_known_by_its_scatter():
    rng = np.random.default_rng(7)
    scores = 0.8 + rng.normal(0, 0.01, (5, 6))
    scores[:, 2] += rng.normal(0, 0.1, 5)
    found = all_of(scores)
    loud = (found.first == 2) | (found.second == 2)
    assert (found.error[loud] ** 2 * 5 >= found.variance[loud] * (1 - 1e-12)).all()
    assert np.nanargmax(found.scatter) == 2
    assert found.scatter[2] > 4
    assert found.scatter_p[2] < 0.01 < np.delete(found.scatter_p, 2).min()


def test_all_pairs_of_named_scores_are_moderated_and_corrected_by_holm():
    rng = np.random.default_rng(8)
    scores = {name: (0.8 + rng.normal(0, 0.01, 3)).tolist() for name in "abcd"}
    found = compare_all(scores)
    family = all_of(np.array(list(scores.values())).T)
    assert [one.difference.p for one in found] == pytest.approx(family.p)
    assert [one.p_adjusted for one in found] == pytest.approx(holm(family.p.tolist()))


def test_corrected_intervals_exclude_zero_exactly_where_the_corrected_verdict_speaks():
    rng = np.random.default_rng(9)
    for _ in range(60):
        count = int(rng.integers(2, 9))
        scores = {str(i): (0.8 + 0.04 * (i % 3) + rng.normal(0, 0.01, 3)).tolist() for i in range(count)}
        for one in compare_all(scores):
            outside = one.interval.low > 0 or one.interval.high < 0
            assert outside == (one.p_adjusted < 0.05)


def test_two_seeds_speak_only_if_others_inform_them():
    rng = np.random.default_rng(10)
    alone = compare_all({"a": [0.80, 0.81], "b": [0.95, 0.96]})
    assert alone[0].difference.verdict == "too few seeds"
    many = {str(i): (0.8 + rng.normal(0, 0.005, 2)).tolist() for i in range(6)} | {"far": [0.95, 0.96]}
    assert all(one.apart for one in compare_all(many) if "far" in (one.first, one.second))


def test_scores_of_unequal_length_or_without_a_value_are_refused():
    with pytest.raises(ValueError, match="same seeds: 3, 2"):
        compare_all({"a": [0.1, 0.2, 0.3], "b": [0.1, 0.2]})
    with pytest.raises(ValueError, match="not finite"):
        compare_all({"a": [0.1, math.nan, 0.3], "b": [0.1, 0.2, 0.3]})
