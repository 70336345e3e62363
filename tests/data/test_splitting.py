"""Dividing rows: shares, stratification, groups, folds, few-shot; the same seed gives the same splits."""

import numpy as np
import pytest
from ftbench import UserError
from ftbench.data.splitting import SPLITS, Division, divide
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=6, max_size=200)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(0, 2**31), st.booleans(), st.booleans())
def test_every_row_is_in_one_split_and_no_group_in_two(rows, seed, grouped, stratify):
    classes, groups = (np.array(column) for column in zip(*rows, strict=True))
    found = divide(Division(stratify=stratify), classes, groups if grouped else None, seed)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(len(rows)))
    again = divide(Division(stratify=stratify), classes, groups if grouped else None, seed)
    assert all(np.array_equal(found[name], again[name]) for name in SPLITS)
    if grouped:
        held = [set(groups[found[name]].tolist()) for name in SPLITS]
        assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(20, 400), min_size=1, max_size=8), st.integers(0, 2**31))
def test_every_class_is_in_every_split_in_its_share(sizes, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    found = divide(Division(), classes, None, seed)
    for name, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
        counts = np.bincount(classes[found[name]], minlength=len(sizes))
        assert (np.abs(counts - share * np.array(sizes)) <= 1).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=40), st.integers(0, 2**31))
def test_a_class_of_few_rows_is_never_in_the_test_split_alone(sizes, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    found = divide(Division(), classes, None, seed)
    assert set(classes.tolist()) == set(classes[found["train"]].tolist())


def test_many_small_classes_still_come_out_in_their_shares():
    classes = np.repeat(np.arange(300), 5)
    found = divide(Division(), classes, None, 0)
    assert [len(found[name]) / 1500 for name in SPLITS] == pytest.approx([0.6, 0.2, 0.2], abs=0.07)


def test_three_speakers_are_one_for_each_split():
    groups = np.repeat([0, 1, 2], 500)
    found = divide(Division(), np.tile(np.arange(10), 150), groups, 0)
    assert [len(set(groups[found[name]])) for name in SPLITS] == [1, 1, 1]


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 200), st.integers(2, 8), st.integers(0, 2**31), st.booleans())
def test_the_folds_of_a_cross_validation_are_disjoint_and_cover_everything(rows, folds, seed, grouped):
    classes = np.arange(rows) % 3
    groups = np.arange(rows) // 3 if grouped else None
    tests = [divide(Division(folds=folds, fold=fold), classes, groups, seed)["test"] for fold in range(folds)]
    assert sorted(np.concatenate(tests).tolist()) == list(range(rows))


def test_grouped_folds_hold_the_classes_in_their_shares():
    groups = np.repeat(np.arange(100), 4)
    classes = (groups % 4 == 0).astype(int)
    for fold in range(5):
        found = divide(Division(folds=5, fold=fold), classes, groups, 0)["test"]
        assert len(found) == pytest.approx(80, abs=8)
        assert classes[found].mean() == pytest.approx(0.25, abs=0.05)


def test_few_shots_are_so_many_of_each_class_and_leave_the_test_split_alone():
    classes = np.arange(400) % 4
    whole, few = (divide(Division(shots=shots), classes, None, 3) for shots in (0, 5))
    assert np.bincount(classes[few["train"]]).tolist() == [5, 5, 5, 5]
    assert set(few["train"]) < set(whole["train"])
    assert np.array_equal(few["test"], whole["test"])


def test_more_shots_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match="shots: class 0 has 35 training examples, fewer than 50"):
        divide(Division(shots=50), np.arange(100) % 2, None, 0)


def test_a_limit_keeps_a_share_of_every_split():
    found = divide(Division(limit=0.1), np.arange(1000) % 2, None, 0)
    assert [len(found[name]) for name in SPLITS] == [70, 15, 15]
