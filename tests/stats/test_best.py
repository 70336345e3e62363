"""The set that holds the best, and the seeds that would bring it down to one."""

import pytest
from ftbench.stats.best import could_be_best, seeds_to_decide
from ftbench.stats.estimates import Estimate, t_quantile


def gain(mean, error=0.01, n=5, df=12.0):
    return Estimate(mean, n, mean - 0.02, mean + 0.02, error * n**0.5, error, df)


def test_a_name_leaves_if_it_is_significantly_worse_than_any_other():
    gains = {("b", "a"): gain(0.01), ("c", "a"): gain(0.05), ("c", "b"): gain(0.04)}
    assert could_be_best(["a", "b", "c"], gains) == ("a", "b")
    # The order within a pair does not matter.
    assert could_be_best(["a", "b", "c"], {("a", "c"): gain(-0.05)}) == ("a", "b")


def test_the_p_value_is_one_sided_and_multiplied_by_the_number_of_the_others():
    for others in (1, 3, 9):
        names = ["leader", *map(str, range(others))]
        limit = t_quantile(12, 1 - 0.05 / others) * 0.01
        for mean, stays in ((0.999 * limit, True), (1.001 * limit, False)):
            found = could_be_best(names, {("0", "leader"): gain(mean)})
            assert ("0" in found) == stays


def test_too_few_seeds_decide_nothing():
    one = Estimate(0.3, 1, None, None, None)
    two = Estimate(0.3, 2, 0.2, 0.4, 0.001)
    assert could_be_best(["a", "b"], {("b", "a"): one}) == ("a", "b")
    assert could_be_best(["a", "b"], {("b", "a"): two}) == ("a", "b")
    assert could_be_best(["a", "b"], {}) == ("a", "b")
    assert could_be_best(["a"], {}) == ("a",)
    assert could_be_best([], {}) == ()


def test_the_seeds_to_decide_are_the_fewest_at_which_every_lead_would_be_significant():
    found = seeds_to_decide([gain(0.02), gain(0.04)], others=4)
    spread = 0.01 * 5**0.5

    def significant(n):
        return t_quantile(12 * (n - 1) / 4, 1 - 0.05 / 4) * spread / n**0.5 < 0.02

    assert significant(found)
    assert not significant(found - 1)


@pytest.mark.parametrize("lead", [gain(0.0), gain(1e-6), Estimate(0.1, 1, None, None, None)])
def test_no_number_of_seeds_decides_what_shows_no_difference(lead):
    assert seeds_to_decide([gain(0.1), lead], others=2) is None
    assert seeds_to_decide([], others=2) is None


def test_the_seeds_to_decide_follow_from_the_t_test_if_the_error_is_not_moderated():
    plain = Estimate(0.02, 5, 0.01, 0.03, 0.03)
    found = seeds_to_decide([plain], others=1)

    def significant(n):
        return t_quantile(n - 1, 0.95) * 0.03 / n**0.5 < 0.02

    assert significant(found)
    assert not significant(found - 1)
