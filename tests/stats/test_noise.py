"""Detectable effects, from finished runs."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from ftbench import RunError
from ftbench.analysis.forecast import CALIBRATION, read_calibration
from ftbench.stats import detectable, paired
from ftbench.stats.noise import Noise, typical


def test_noise_times_the_seeds_factor_is_what_can_be_seen():
    assert Noise(0.01, 10, "").detectable(5) == pytest.approx(0.0168, abs=1e-4)
    assert Noise(0.01, 10, "").detectable(1) is Noise(0.01, 10, "").detectable(2) is None


def test_other_strategies_add_degrees_of_freedom_within_the_limits_of_moderation():
    informed = Noise(0.01, 10, "", prior_df=50.0, strategies=8)
    assert informed.df(5) == 7 * 4
    assert informed.df(2) == pytest.approx(1 + 4)
    assert Noise(0.01, 10, "", prior_df=3.0, strategies=8).df(5) == 7
    assert Noise(0.01, 10, "").df(5) == 4
    assert informed.detectable(5) == pytest.approx(detectable(5, df=28) * 0.01)
    assert informed.detectable(2) is not None


def test_nothing_that_scatters_is_no_noise():
    assert typical([]) is None
    assert typical([paired([0.5], [0.6])]) is None
    assert typical([paired([0.5, 0.5, 0.5], [0.6, 0.6, 0.6])]) is None


def test_a_wild_comparison_does_not_decide():
    rng = np.random.default_rng(0)
    tame = [paired([0.0] * 200, rng.normal(0, 0.01, 200)) for _ in range(4)]
    wild = paired([0.0] * 200, rng.normal(0, 1, 200))
    assert typical([*tame, wild]).s_d == pytest.approx(0.01, rel=0.1)
    assert typical([*tame, wild]).source == "median of 5 comparisons with the baseline"


def test_a_calibration_is_read_where_there_is_one(tmp_path):
    assert read_calibration(tmp_path) == {}
    (tmp_path / CALIBRATION).write_text(
        json.dumps({"digits": {"accuracy": {"s_d": 0.008, "n": 10, "pairing": "x"}, "f1": {"s_d": 0.0, "n": 10}}})
    )
    assert read_calibration(tmp_path) == {
        ("digits", "accuracy"): Noise(0.008, 10, "calibration over 10 re-seeded pairs")
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"a": {"b": {}}}',
        '{"a": {"b": {"s_d": -1, "n": 3}}}',
        '{"a": {"b": {"s_d": "x", "n": 3}}}',
    ],
)
def test_a_file_that_is_no_calibration_is_told_in_one_line(text, tmp_path):
    (tmp_path / CALIBRATION).write_text(text)
    with pytest.raises(RunError, match=r"not a valid calibration|not JSON"):
        read_calibration(tmp_path)


def test_a_moderated_error_is_the_noise_and_a_deviation_of_few_seeds_is_corrected_for_its_median():
    plain = paired([0.5, 0.5, 0.5], [0.6, 0.63, 0.61])
    found = plain.estimate
    moderated = replace(plain, estimate=replace(found, error=0.004, df=9.0))
    assert typical([moderated]).s_d == pytest.approx(0.004 * 3**0.5)
    assert typical([moderated]).prior_df == pytest.approx(9 - 2)
    # The median of a chi-square variable on 2 degrees of freedom is 2·log 2.
    assert typical([plain]).s_d == pytest.approx(found.deviation / math.sqrt(math.log(2)))
