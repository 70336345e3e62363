"""Per-example contributions to scores that are not means."""

import numpy as np
import pytest
from ftbench.stats import f1, macro_f1, pseudo_values, ratio
from ftbench.stats.jackknife import moments, pearson
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score


def left_out(score, *columns):
    """Compute pseudo-values by their definition, leaving each example out in turn."""
    count = len(columns[0])
    whole = score(*columns)
    return [
        count * whole - (count - 1) * score(*(np.delete(column, row, axis=0) for column in columns))
        for row in range(count)
    ]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=2, max_size=20))
def test_a_word_error_rate(transcripts):
    errors, words = (np.array(column) for column in zip(*transcripts, strict=True))
    expected = left_out(lambda e, w: e.sum() / w.sum(), errors, words)
    assert pseudo_values(np.stack([errors, words], axis=1), ratio) == pytest.approx(expected, abs=1e-6)


def test_a_mean_gives_the_scores_themselves():
    scores = np.random.default_rng(0).random(30)
    assert pseudo_values(np.stack([scores, np.ones(30)], axis=1), ratio) == pytest.approx(scores, abs=1e-6)


def test_f1_micro_and_macro_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 2, (2, 40, 3))
    parts = np.stack([truth * said, said, truth], axis=-1)
    micro = left_out(lambda t, s: f1_score(t, s, average="micro"), truth, said)
    macro = left_out(lambda t, s: f1_score(t, s, average="macro"), truth, said)
    assert pseudo_values(parts.sum(1), f1) == pytest.approx(micro, abs=1e-6)
    assert pseudo_values(parts, macro_f1) == pytest.approx(macro, abs=1e-6)


def test_a_correlation():
    rng = np.random.default_rng(0)
    x = rng.normal(1e4, 1, 25)
    y = x + rng.normal(0, 1, 25)
    expected = left_out(lambda a, b: stats.pearsonr(a, b).statistic, x, y)
    assert pseudo_values(moments(x, y), pearson) == pytest.approx(expected, abs=1e-5)


def test_their_spread_is_the_error_of_the_score():
    # 400 test sets of 200 transcripts: the standard error from one of them against the scatter over all.
    rng = np.random.default_rng(0)
    rates, errors = [], []
    for _ in range(400):
        words = rng.integers(1, 20, 200)
        wrong = rng.binomial(words, rng.beta(1, 4, 200))
        rates.append(wrong.sum() / words.sum())
        errors.append(stats.sem(pseudo_values(np.stack([wrong, words], axis=1), ratio)))
    assert np.mean(errors) == pytest.approx(np.std(rates), rel=0.1)


def test_a_score_that_one_example_decides_is_unknown_for_all():
    assert pseudo_values(np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]]), f1) == [None, None, None]
    assert pseudo_values(np.array([[1, 2]]), ratio) == [None]
