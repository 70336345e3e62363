"""Power and detectable effects, against published figures, statsmodels and simulation."""

import numpy as np
import pytest
from ftbench.stats import detectable, power_of, seeds_for
from ftbench.stats import power as module
from scipy import stats
from statsmodels.stats.power import TTestPower


@pytest.mark.parametrize(
    ("n", "smallest"), [(3, 3.26), (4, 2.13), (5, 1.68), (6, 1.43), (8, 1.16), (10, 1.00), (20, 0.66)]
)
def test_the_smallest_detectable_difference(n, smallest):
    assert detectable(n) == pytest.approx(smallest, abs=0.006)
    assert power_of(detectable(n), n) == pytest.approx(0.8, abs=1e-9)


def test_one_seed_can_see_nothing():
    assert detectable(1) is None
    with pytest.raises(ValueError, match="two pairs, got 1"):
        power_of(1.0, 1)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("effect", [0.1, 0.7, 2.0])
def test_power_is_that_of_statsmodels(n, effect):
    assert power_of(effect, n) == pytest.approx(TTestPower().power(effect, n, 0.05), abs=1e-9)


@pytest.mark.parametrize("effect", [3.3, 1.7, 1.0, 0.5, 0.2])
def test_as_many_seeds_as_are_needed_and_no_more(effect):
    n = seeds_for(effect)
    assert power_of(effect, n) >= 0.8 > (power_of(effect, n - 1) if n > 2 else 0)


def test_no_number_of_seeds_finds_nothing():
    assert seeds_for(0.0) is None


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_difference_of_that_size_is_found_in_four_of_five_simulated_comparisons(n):
    differences = np.random.default_rng(n).normal(detectable(n), 1, (20_000, n))
    found = (stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("n", range(3, 11))
def test_the_usual_effects_are_what_the_search_finds(n):
    assert module.detectable(n) == pytest.approx(module._smallest(n, module.POWER, module.ALPHA, n - 1), rel=1e-12)
    assert module.power_of(module.detectable(n), n) == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize("df", [1, 2, 4.5, 12])
def test_power_rises_with_the_effect_also_where_it_is_large_and_degrees_of_freedom_are_few(df):
    powers = [module.power_of(effect, 2, df=df) for effect in range(1, 15)]
    assert powers == sorted(powers)
    assert module.power_of(module.detectable(2, df=df), 2, df=df) == pytest.approx(0.8, abs=1e-6)
