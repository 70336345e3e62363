"""Search algorithms: the points they choose, pruning thresholds, and extension of the range."""

import math

import pytest
from ftbench.suite.search import SEARCHES, Tried, best_of, edge, extension_point, pruning_thresholds
from ftbench.suite.search_space import Listed, Space, Span
from hypothesis import given, settings
from hypothesis import strategies as st

SPACE = Space({"lr": Span(1e-5, 1e-1, log=True), "rank": Listed((4, 8, 16))}, {"lr": 1e-3, "rank": 8})


def searched(name, count, score, space=SPACE, seed=0):
    search = SEARCHES[name](space, seed, count)
    tried = []
    while len(tried) < count and (point := search.point(tried)) is not None:
        tried.append(Tried(point, score(point)))
    return tried


def level(point):
    return -((math.log10(point["lr"]) + 2.5) ** 2) + (point["rank"] == 16)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["random", "tpe"]))
def test_every_point_lies_in_the_space_and_none_comes_twice(seed, name):
    tried = searched(name, 12, level, seed=seed)
    assert len(tried) == 12
    assert all(domain.holds(one.point[key]) for one in tried for key, domain in SPACE.domains.items())
    assert len({(one.point["lr"], one.point["rank"]) for one in tried}) == 12
    assert all(one.point["lr"] == float(f"{one.point['lr']:.3g}") for one in tried)


def test_the_estimator_comes_nearer_than_chance_over_many_searches():
    found = {
        name: [best_of(searched(name, 25, level, seed=seed)).score for seed in range(12)] for name in ("random", "tpe")
    }
    assert sum(found["tpe"]) / 12 > sum(found["random"]) / 12
    assert min(found["tpe"]) > 0.9


def test_a_space_that_is_exhausted_ends_the_search():
    small = Space({"lr": Listed((1e-3, 1e-2))}, {"lr": 1e-3})
    assert len(searched("random", 10, lambda point: 0.0, small)) == 2


def test_a_grid_has_its_ends_and_the_untuned_value():
    rates = [point["lr"] for point in Space({"lr": Span(1e-4, 1e-2, log=True)}, {"lr": 2e-3}).grid(4)]
    assert rates == [1e-4, 4.64e-4, 2e-3, 1e-2]
    whole = Space({"rank": Span(2, 9, whole=True)}, {"rank": 50})
    assert [point["rank"] for point in whole.grid(3)] == [2, 6, 9]
    assert all(type(point["rank"]) is int for point in whole.grid(3))


def test_of_equal_scores_the_one_with_the_least_loss_is_taken_and_then_the_first():
    tried = [Tried({"lr": 1}, None), Tried({"lr": 2}, 0.5, 0.9), Tried({"lr": 3}, 0.5, 0.7), Tried({"lr": 4}, 0.5, 0.7)]
    assert best_of(tried).point == {"lr": 3}
    assert best_of(tried[:1]) is None


@pytest.mark.parametrize(("best", "side", "further"), [(1e-5, "low", 3.16e-6), (1e-1, "high", 0.316), (1e-3, "", None)])
def test_a_rate_at_an_end_is_told_and_followed_and_one_inside_is_refined(best, side, further):
    tried = [Tried({"lr": rate, "rank": 4}, -abs(math.log10(rate / best))) for rate in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)]
    assert edge(tried, SPACE) == side
    point = extension_point(tried, SPACE)
    assert point["rank"] == 4
    assert point["lr"] == pytest.approx(further or math.sqrt(1e-3 * 1e-4), rel=0.01)


def test_a_bar_is_what_optunas_pruner_would_ask_for():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    curves = [(0.3, 0.4, 0.5), (0.5, 0.6, 0.7), (0.2, 0.3, 0.3), (0.6, 0.5, 0.4), (0.4, 0.4, 0.4), (0.45, 0.6, 0.8)]
    before = [Tried({}, curve[-1], curve=curve) for curve in curves]
    for reduction in (2, 3):
        least = dict(pruning_thresholds(before, 3, reduction))
        for value in (0.1, 0.25, 0.35, 0.42, 0.5, 0.55, 0.65):
            study = optuna.create_study(
                direction="maximize",
                pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction),
            )
            for curve in curves:
                trial = study.ask()
                for place, score in enumerate(curve, 1):
                    trial.report(score, place)
                    trial.should_prune()
                study.tell(trial, curve[-1])
            trial = study.ask()
            trial.report(value, 1)
            assert trial.should_prune() == (value < least[1])
    assert pruning_thresholds(before[:1], 3, 3) == ((1, 0.3),)
    assert pruning_thresholds([], 3, 3) == ()
