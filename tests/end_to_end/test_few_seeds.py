"""False alarms, power and coverage of moderated comparisons, by simulation with seeds of their own.

The small form runs by default, the full grid under `thorough`.
"""

import numpy as np
import pytest
from ftbench.stats import adjusted, estimate
from ftbench.stats.best import could_be_best
from ftbench.stats.intervals import SHARE, interval_of, moderated_estimates
from ftbench.stats.moderation import of_family, paired_family
from ftbench.stats.noninferiority import loss_p, moderated, said

ITEMS = 300
NOISE = 0.03
THOROUGH = [pytest.mark.slow, pytest.mark.thorough]


def draw(rng, kind, seeds, count):
    """Return noise of each strategy and seed, on top of an effect that all strategies share."""
    spread, noise = np.full(count, NOISE), rng.normal(size=(seeds, count))
    if kind == "unequal":
        spread = NOISE * np.sqrt(rng.chisquare(6, count) / 6)
    elif kind == "heavy":
        spread = NOISE * np.sqrt(rng.chisquare(3, count) / 3)
        noise = rng.standard_t(4, (seeds, count)) / 2**0.5
    elif kind.startswith("loud"):
        spread[0] *= float(kind.removeprefix("loud"))
    return spread * noise + rng.normal(0, 0.02, (seeds, 1))


def scores_of(rng, kind, seeds, means):
    return np.round((means + draw(rng, kind, seeds, len(means))) * ITEMS) / ITEMS


def family_of(scores):
    first, second = np.triu_indices(scores.shape[1], 1)
    return paired_family(scores, first, second, step=1 / ITEMS)


def rejected(p):
    """Return which hypotheses Holm's procedure rejects."""
    order, count = np.argsort(p), len(p)
    found = np.zeros(count, bool)
    found[order] = np.maximum.accumulate(p[order] * (count - np.arange(count))) < 0.05
    return found


def slack(rate, count):
    """Three standard errors of a simulated rate."""
    return 3 * (rate * (1 - rate) / count) ** 0.5


def grid(small, full):
    return [pytest.param(*one, 150, id="-".join(map(str, one))) for one in small] + [
        pytest.param(*one, 2000, id=f"{'-'.join(map(str, one))}-full", marks=THOROUGH) for one in full
    ]


FULL = [(kind, k, n) for kind in ("equal", "unequal", "heavy") for k in (2, 4, 8, 25) for n in (2, 3, 5, 10)]
LOUD = [(kind, k, n) for kind in ("loud3", "loud6") for k in (4, 8, 25) for n in (2, 3, 5, 10)]


@pytest.mark.parametrize(
    ("kind", "count", "seeds", "runs"), grid([("equal", 8, 3), ("unequal", 25, 3), ("heavy", 8, 5)], FULL)
)
def test_equal_strategies_are_rarely_told_apart(kind, count, seeds, runs, record_property):
    rng = np.random.default_rng(1000 * count + seeds)
    alarms = sum(
        rejected(np.nan_to_num(family_of(scores_of(rng, kind, seeds, np.full(count, 0.7))).p, nan=1.0)).any()
        for _ in range(runs)
    )
    record_property("false alarms", float(alarms / runs))
    assert alarms / runs <= 0.05 + max(0.015, slack(0.05, runs) if runs < 1000 else 0)


@pytest.mark.parametrize(("kind", "count", "seeds", "runs"), grid([("loud6", 8, 3)], LOUD))
def test_one_strategy_that_scatters_more_raises_few_alarms_and_is_found(kind, count, seeds, runs, record_property):
    rng = np.random.default_rng(2000 * count + seeds)
    alarms = named = others = 0
    for _ in range(runs):
        found = family_of(scores_of(rng, kind, seeds, np.full(count, 0.7)))
        alarms += rejected(found.p).any()
        noisy = (found.scatter >= 2) & (found.scatter_p < 0.01)
        named += noisy[0]
        others += noisy[1:].any()
    record_property("false alarms", float(alarms / runs))
    record_property("named", float(named / runs))
    assert alarms / runs <= 0.10 + (slack(0.10, runs) if runs < 1000 else 0.015)
    assert named > others
    if seeds >= 5 and kind == "loud6":
        assert named / runs > 0.9


POWER = [(8, 3, 0.72), (8, 5, 0.81), (25, 5, 0.72), (5, 3, 0.77)]


@pytest.mark.parametrize(
    ("count", "seeds", "expected", "runs"),
    [pytest.param(*one, 60, id=f"{one[0]}-{one[1]}") for one in POWER]
    + [pytest.param(*one, 1500, id=f"{one[0]}-{one[1]}-full", marks=THOROUGH) for one in POWER],
)
def test_planted_differences_of_3_to_30_points_are_found(count, seeds, expected, runs, record_property):
    rng = np.random.default_rng(3000 * count + seeds)
    found, planted = 0, 0
    for _ in range(runs):
        means = np.where(np.arange(count) < count // 2, 0.8, 0.8 - rng.uniform(0.03, 0.30, count))
        family = family_of(scores_of(rng, "equal", seeds, means))
        true = means[family.second] - means[family.first]
        apart = rejected(family.p) & (np.sign(family.mean) == np.sign(true)) & (np.abs(true) >= 0.03)
        found, planted = found + apart.sum(), planted + (np.abs(true) >= 0.03).sum()
    record_property("power", float(found / planted))
    assert found / planted >= expected - 0.03 - (0.04 if runs < 1000 else 0)


BEST = [(4, 2), (8, 3)]


@pytest.mark.parametrize(
    ("count", "seeds", "runs"),
    [pytest.param(*one, 100, id=f"{one[0]}-{one[1]}") for one in BEST]
    + [pytest.param(k, n, 1500, id=f"{k}-{n}-full", marks=THOROUGH) for k in (2, 4, 8, 25) for n in (2, 3, 5, 10)],
)
def test_the_true_best_is_rarely_left_out(count, seeds, runs, record_property):
    rng = np.random.default_rng(4000 * count + seeds)
    missed = 0
    for _ in range(runs):
        means = 0.8 - np.sort(rng.exponential(0.02, count))
        family = family_of(scores_of(rng, "unequal", seeds, means))
        pairs = zip(family.first.tolist(), family.second.tolist(), of_family(family), strict=True)
        gains = {(one, other): difference.estimate for one, other, difference in pairs}
        missed += 0 not in could_be_best(range(count), gains)
    record_property("missed", float(missed / runs))
    assert missed / runs <= 0.05


COVERAGE = [(n, share, items) for n in (2, 3, 5, 10) for share in (0.5, 0.9, 0.99) for items in (100, 1000)]


@pytest.mark.parametrize(
    ("seeds", "share", "items", "runs"),
    [pytest.param(*one, 60, id="-".join(map(str, one))) for one in COVERAGE[::5]]
    + [pytest.param(*one, 1500, id=f"{'-'.join(map(str, one))}-full", marks=THOROUGH) for one in COVERAGE],
)
def test_intervals_of_shares_cover_95_percent_and_stay_inside(seeds, share, items, runs, record_property):
    rng = np.random.default_rng(int(1000 * share) + seeds + items)
    hits = total = 0
    for _ in range(runs):
        drawn = (rng.binomial(items, share, (8, seeds)) / items).tolist()
        for one in moderated_estimates(drawn, 1 / items):
            ends = interval_of(one, SHARE, items=items)
            assert 0 <= ends.low <= ends.high <= 1
            hits, total = hits + (ends.low <= share <= ends.high), total + 1
    record_property("coverage", float(hits / total))
    loose = 0.02 if runs < 1000 else 0.003
    assert 0.93 - loose <= hits / total <= (0.995 if share == 0.99 else 0.97) + loose


def regressed(rng, kind, checks, shift, looks=(3, 6, 10)):
    """Return whether a gate calls any score worse at its first look, and at any."""
    spread = 0.008 * (np.sqrt(rng.chisquare(6, checks) / 6) if kind == "unequal" else np.ones(checks))
    gains = np.round((shift + rng.normal(size=(10, checks)) * spread) * 500) / 500
    found = []
    for seeds in looks:
        judged = moderated([estimate(own.tolist()) for own in gains[:seeds].T])
        p = adjusted({number: loss_p(one) for number, one in enumerate(judged)})
        found.append(any(said(one, p[number], 0.01, 0.05 / 3) == "regressed" for number, one in enumerate(judged)))
    return found[0], any(found)


@pytest.mark.parametrize(
    ("kind", "checks", "runs"),
    [pytest.param("equal", 5, 100, id="small")]
    + [pytest.param(k, n, 2000, id=f"{k}-{n}", marks=THOROUGH) for k in ("equal", "unequal") for n in (1, 3, 5, 20)],
)
def test_a_gate_raises_few_alarms_and_sees_a_loss_of_two_points_in_three_seeds(kind, checks, runs, record_property):
    rng = np.random.default_rng(5000 + checks)
    alarms = sum(regressed(rng, kind, checks, 0.0)[1] for _ in range(runs)) / runs
    caught = sum(regressed(rng, kind, checks, -0.02)[0] for _ in range(runs)) / runs
    record_property("false alarms", float(alarms))
    record_property("caught with three seeds", float(caught))
    assert alarms <= 0.05
    if checks == 5:
        assert caught >= 0.95 - (slack(0.95, runs) if runs < 1000 else 0.005)
