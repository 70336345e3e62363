"""How often intervals hold and claims are false, by simulation: small in the default run, with tight bounds in the thorough one."""

from itertools import combinations

import numpy as np
import pytest
from ftbench.analysis.differences import difference
from ftbench.stats import compare_all, compare_with, detectable, estimate, paired
from ftbench.stats.crossed import clustered, crossed
from ftbench.stats.item_scores import interval_over_items
from ftbench.stats.multiplicity import corrected
from ftbench.stats.noise import typical
from scipy import stats

from tests.support.simulated import answers, contenders, crossed_scores

SIZES = [
    pytest.param(400, id="small"),
    pytest.param(6000, id="large", marks=[pytest.mark.slow, pytest.mark.thorough]),
]


def slack(rate, count):
    """Three standard errors of a simulated rate."""
    return 3 * (rate * (1 - rate) / count) ** 0.5


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("count", SIZES)
def test_intervals_over_seeds_cover_95_percent(n, count, record_property):
    rng = np.random.default_rng(n)
    hits = sum(found.low <= 0 <= found.high for found in (estimate(rng.normal(size=n).tolist()) for _ in range(count)))
    record_property("coverage", hits / count)
    assert hits / count == pytest.approx(0.95, abs=max(0.02, slack(0.95, count)))


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("of_seeds", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("count", SIZES)
def test_intervals_over_seeds_and_items_cover_95_percent_and_those_over_seeds_do_not(
    seeds, of_seeds, count, record_property
):
    rng = np.random.default_rng(seeds)
    over_both = over_seeds = 0
    for _ in range(count):
        scores = crossed_scores(rng, seeds=seeds, items=200, of_seeds=of_seeds)
        found, items = estimate(scores.mean(1).tolist()), contenders([scores])[0].items
        interval = interval_over_items(found, list(items.values()))
        over_both += interval.low <= 0 <= interval.high
        over_seeds += found.low <= 0 <= found.high
    record_property("coverage", over_both / count)
    record_property("over seeds alone", over_seeds / count)
    assert 0.95 - max(0.02, slack(0.95, count)) <= over_both / count <= 0.985
    if of_seeds < 0.05:
        assert over_seeds / count < 0.90


@pytest.mark.parametrize("count", SIZES)
def test_the_crossed_interval_alone_falls_short_where_three_seeds_scatter_widely(count, record_property):
    # Which is why no interval over seeds and items is narrower than that over seeds.
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(count):
        found = crossed(crossed_scores(rng, seeds=3, items=400, of_seeds=0.05, of_items=0.05))
        hits += abs(found.mean) <= found.half_width()
    record_property("coverage", hits / count)
    assert 0.87 < hits / count < 0.94


@pytest.mark.parametrize("count", SIZES)
def test_items_of_the_same_speaker_count_as_one(count, record_property):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(25), 12)
    by_speaker = by_item = 0
    for _ in range(count):
        scores = crossed_scores(rng, seeds=5, items=300, of_items=0.2) + rng.normal(0, 0.2, 25)[groups]
        over_items, over_groups = crossed(scores), crossed(clustered(scores, groups))
        by_item += abs(over_items.mean) <= over_items.half_width()
        by_speaker += abs(over_groups.mean) <= over_groups.half_width()
    record_property("speakers", by_speaker / count)
    record_property("items", by_item / count)
    assert by_speaker / count == pytest.approx(0.95, abs=max(0.02, slack(0.95, count)))
    assert by_item / count < 0.75


@pytest.mark.parametrize(("seeds", "items"), [(3, 20), (3, 300), (5, 300)])
@pytest.mark.parametrize("count", SIZES)
def test_among_six_equal_strategies_few_are_told_apart(seeds, items, count, record_property):
    # Equal on these very items: a claim about this test set is false. Count runs with any claim, all pairs and against one.
    rng = np.random.default_rng(items + seeds)
    runs = count // 6
    on_this = on_new = 0
    for _ in range(runs):
        everyone = contenders(answers(rng, strategies=6, seeds=seeds, items=items))
        found = corrected({(a.label, b.label): difference(a, b, "accuracy") for a, b in combinations(everyone, 2)})
        on_this += any(c.apart for c in found)
        on_new += any(c.difference.new_items.verdict in ("better", "worse") for c in found)
    record_property("on this test set", on_this / runs)
    record_property("on new items", on_new / runs)
    assert on_this / runs <= 0.05 + slack(0.05, runs)
    assert on_new / runs <= 0.05 + slack(0.05, runs)


@pytest.mark.parametrize("count", SIZES)
def test_strategies_that_differ_on_these_items_alone_are_not_told_apart_on_new_ones(count, record_property):
    rng = np.random.default_rng(0)
    runs = count // 2
    on_this = on_new = 0
    for _ in range(runs):
        one, other = contenders(answers(rng, strategies=2, seeds=5, items=300, own=2.0, of_seeds=0.02))
        found = difference(one, other, "accuracy")
        on_this += found.verdict in ("better", "worse")
        on_new += found.new_items.verdict in ("better", "worse")
    record_property("on this test set", on_this / runs)
    record_property("on new items", on_new / runs)
    assert on_new / runs <= 0.05 + slack(0.05, runs)
    assert on_this / runs > 0.15


@pytest.mark.parametrize("count", SIZES)
def test_holm_keeps_false_claims_rare_and_comparing_without_it_does_not(count, record_property):
    rng = np.random.default_rng(0)
    with_baseline = all_pairs = uncorrected = 0
    runs = count // 4
    for _ in range(runs):
        scores = {str(place): rng.normal(0.8, 0.01, 5).tolist() for place in range(8)}
        with_baseline += any(c.apart for c in compare_with("0", scores))
        all_pairs += any(c.apart for c in compare_all(scores))
        uncorrected += any(paired(scores["0"], scores[str(place)]).p < 0.05 for place in range(1, 8))
    record_property("against one baseline", with_baseline / runs)
    record_property("all pairs", all_pairs / runs)
    record_property("uncorrected", uncorrected / runs)
    assert max(with_baseline, all_pairs) / runs <= 0.05 + slack(0.05, runs)
    assert uncorrected / runs > 0.12


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("count", SIZES)
def test_what_is_as_far_apart_as_the_margin_is_seldom_called_equivalent(n, count, record_property):
    rng = np.random.default_rng(n)
    differences = rng.normal(0.005, 0.002, (count, n))
    false = sum(paired([0.0] * n, row).verdict == "equivalent" for row in differences.tolist())
    record_property("called equivalent", false / count)
    assert false / count <= 0.05 + slack(0.05, count)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("count", SIZES)
def test_the_smallest_detectable_difference_is_within_a_tenth_of_the_simulated_one(n, count, record_property):
    unit = np.random.default_rng(n).normal(0, 1, (10 * count, n))

    def found(shift):
        return (stats.ttest_1samp(unit + shift, 0, axis=1).pvalue < 0.05).mean()

    low, high = 0.0, 10.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= 0.8 else (middle, high)
    record_property("simulated", high)
    assert detectable(n) == pytest.approx(high, rel=0.1)


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("count", SIZES)
def test_the_scatter_of_earlier_runs_is_found_also_beside_a_wild_one(n, count, record_property):
    rng = np.random.default_rng(n)
    deviations = []
    for _ in range(count // 4):
        normal = rng.normal(0, 0.01, (8, n))
        normal[0] *= 30
        deviations.append(typical(paired([0.0] * n, row) for row in normal.tolist()).s_d)
    record_property("median", float(np.median(deviations)) / 0.01)
    assert np.median(deviations) == pytest.approx(0.01, rel=0.25)
