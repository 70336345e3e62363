"""Looks at paired seeds, and their simulated error rates."""

import math

import numpy as np
import pytest
from ftbench.stats.estimates import estimate, lower_bound, upper_bound
from ftbench.stats.multiplicity import holm
from ftbench.stats.noninferiority import loss_p, next_look, said
from ftbench.suite.suite import Gate
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

GATE = Gate()
LEVEL = GATE.alpha / len(GATE.looks)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12).filter(lambda v: np.ptp(v) > 1e-6))
def test_the_p_value_is_scipys_and_agrees_with_the_bounds(gains):
    found = estimate(gains)
    p = loss_p(found)
    assert p == pytest.approx(stats.ttest_1samp(gains, 0, alternative="less").pvalue, rel=1e-6, abs=1e-12)
    if abs(p - LEVEL) > 1e-9:
        assert (p < LEVEL) == (upper_bound(gains, LEVEL) < 0)
    said_so = said(found, p, 0.01, LEVEL)
    if found.n < 3:
        assert said_so == "inconclusive"
    elif said_so == "ok":
        assert lower_bound(gains, LEVEL) > -0.01
    elif said_so == "regressed":
        assert found.mean < -0.01


def test_equal_gains_are_taken_as_they_are_and_one_says_nothing():
    assert [loss_p(estimate([value] * 3)) for value in (-0.125, 0.0, 0.125)] == [0.0, 1.0, 1.0]
    assert loss_p(estimate([0.5])) is None
    assert said(estimate([-0.1] * 3), 0.0, 0.01, LEVEL) == "regressed"
    assert said(estimate([-0.1] * 2), 0.0, 0.01, LEVEL) == "inconclusive"


def test_looks_follow_one_another():
    assert [next_look(n, (3, 6, 10)) for n in (0, 1, 3, 5, 6, 9, 10, 20)] == [3, 3, 6, 6, 10, 10, None, None]


def sequential(rng, mean, deviation, margin=0.01):
    """Return the first conclusive outcome of looks at three, six and ten seeds, and the number of seeds it took."""
    gains = rng.normal(mean, deviation, 10).tolist()
    for n in GATE.looks:
        found = estimate(gains[:n])
        verdict = said(found, loss_p(found), margin, LEVEL)
        if verdict != "inconclusive":
            return verdict, n
    return "inconclusive", GATE.looks[-1]


def test_a_loss_of_two_points_is_caught_and_no_loss_is_not():
    rng = np.random.default_rng(0)
    planted = [sequential(rng, -0.02, 0.008) for _ in range(2000)]
    caught = np.mean([verdict == "regressed" for verdict, _ in planted])
    seeds = np.mean([n for _, n in planted])
    none = [sequential(rng, 0.0, 0.008)[0] for _ in range(4000)]
    false = np.mean([verdict == "regressed" for verdict in none])
    assert caught >= 0.98
    assert 3.5 < seeds < 5.5
    assert false <= 0.008
    assert np.mean([verdict == "ok" for verdict in none]) > 0.7


def test_a_loss_at_the_margin_is_seldom_called_ok():
    rng = np.random.default_rng(1)
    verdicts = [sequential(rng, -0.01, 0.008)[0] for _ in range(4000)]
    assert np.mean([verdict == "ok" for verdict in verdicts]) <= GATE.alpha * 1.1


def test_of_many_scores_one_loss_is_caught_and_false_alarms_stay_below_alpha():
    """Test twenty scores together."""
    rng = np.random.default_rng(2)

    def alarms(means):
        for n in GATE.looks:
            found = [estimate(rng_row[:n].tolist()) for rng_row in rng.normal(means[:, None], 0.008, (20, 10))]
            p = holm([loss_p(one) for one in found])
            regressed = {k for k in range(20) if said(found[k], p[k], 0.01, LEVEL) == "regressed"}
            if regressed:
                return regressed
        return set()

    none = [bool(alarms(np.zeros(20))) for _ in range(400)]
    assert np.mean(none) <= GATE.alpha
    planted = np.zeros(20)
    planted[7] = -0.02
    caught = [7 in alarms(planted) for _ in range(200)]
    assert np.mean(caught) >= 0.95


@pytest.mark.parametrize(("growth", "least", "most"), [(0.05, 0.95, 1.0), (0.0, 0.0, 0.01)])
def test_memory_that_grows_by_five_per_cent_is_caught_at_the_noise_of_an_allocator(growth, least, most):
    rng = np.random.default_rng(3)
    alarms = []
    for _ in range(1000):
        base = 8e9 * (1 + rng.normal(0, 0.002, 3))
        head = 8e9 * (1 + growth) * (1 + rng.normal(0, 0.002, 3))
        found = estimate((base - head).tolist())
        alarms.append(said(found, loss_p(found), max(GATE.memory * 8e9, GATE.memory_bytes), GATE.alpha) == "regressed")
    assert least <= np.mean(alarms) <= most


@pytest.mark.parametrize(("slowdown", "least", "most"), [(0.08, 0.95, 1.0), (0.0, 0.0, 0.001)])
def test_a_slow_down_of_eight_per_cent_is_caught_twice_in_five_pairs_run_in_turn(slowdown, least, most):
    """Simulate machine drift shared by the two trials of a pair; flagged pairs are run again."""
    rng = np.random.default_rng(4)

    def flagged():
        logs = rng.normal(math.log(1 - slowdown), 0.015, GATE.pairs)
        found = estimate(logs.tolist())
        return said(found, loss_p(found), -math.log(1 - GATE.slowdown), GATE.slowdown_alpha) == "regressed"

    assert least <= np.mean([flagged() and flagged() for _ in range(1000)]) <= most
