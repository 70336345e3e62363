"""Splits: disjoint, balanced, grouped, the same from the same seed."""

from collections import Counter

import pytest
from ftbench import Example, Splits, UserError
from ftbench.tasks import draw
from hypothesis import given
from hypothesis import strategies as st


def examples(count, classes=3):
    return [Example(f"e{i}", i, i % classes) for i in range(count)]


@given(st.integers(0, 1000), st.integers(60, 90), st.integers(1, 12), st.integers(1, 12))
def test_samples_are_disjoint_and_no_group_is_in_two(seed, count, first, second):
    pool = examples(count)
    groups = {e.id: e.value // 4 for e in pool}
    drawn = draw(pool, {"test": first, "train": second}, seed, groups)
    ids = {name: {e.id for e in sample} for name, sample in drawn.items()}
    families = {name: {groups[i] for i in found} for name, found in ids.items()}
    assert not ids["test"] & ids["train"]
    assert not families["test"] & families["train"]
    assert all(len(drawn[name]) == size for name, size in (("test", first), ("train", second)))


@given(st.integers(0, 1000))
def test_samples_are_balanced_and_reproducible(seed):
    drawn = draw(examples(90), {"test": 30, "train": 31}, seed)
    assert set(Counter(e.label for e in drawn["test"]).values()) == {10}
    assert sorted(Counter(e.label for e in drawn["train"]).values()) == [10, 10, 11]
    assert draw(examples(90), {"test": 30, "train": 31}, seed) == drawn


def test_a_class_that_runs_out_is_a_mistake_that_says_how_many_are_missing():
    with pytest.raises(UserError, match="train_size: 40 examples are asked for, and class 0 is 4 short"):
        draw(examples(60), {"test": 30, "train": 40}, 0)


def test_a_pool_can_be_used_to_the_last_example():
    drawn = draw(examples(60), {"test": 30, "train": 30}, 0)
    assert len({e.id for sample in drawn.values() for e in sample}) == 60


def test_the_test_sample_does_not_depend_on_the_training_size():
    assert (
        draw(examples(90), {"test": 30, "train": 10}, 0)["test"]
        == draw(examples(90), {"test": 30, "train": 40}, 0)["test"]
    )


def test_the_hash_tells_order_labels_and_splits_apart():
    one, other = Example("a", 0, 0), Example("b", 0, 1)
    hashes = {
        Splits([one, other], [], []).hash(),
        Splits([other, one], [], []).hash(),
        Splits([one], [other], []).hash(),
        Splits([Example("a", 0, 1), other], [], []).hash(),
    }
    assert len(hashes) == 4


def test_no_word_family_is_in_two_splits(catalog):
    splits = catalog.build("tasks", "word-sentiment", {}).splits(0)
    families = [
        {word.value[: 5 if len(word.value) > 5 else 4] for word in splits[name]}
        for name in ("train", "validation", "test")
    ]
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [240, 200, 1000]
    assert not families[0] & families[2]
    assert not families[1] & families[2]
    assert not families[0] & families[1]


def test_test_voices_of_the_commands_are_heard_nowhere_else(catalog):
    import json
    from importlib.util import find_spec
    from pathlib import Path

    index = json.loads((Path(find_spec("ftbench_plugins.speech").origin).parent / "clips" / "clips.json").read_text())
    voices = {split: {clip["voice"] for clip in clips} for split, clips in index.items()}
    assert len(voices["train"]) == len(voices["test"]) == 20
    assert not voices["train"] & voices["test"]
    splits = catalog.build("tasks", "spoken-commands", {}).splits(0)
    assert {e.id.partition("-")[0] for e in splits.test} == {"test"}
    assert {e.id.partition("-")[0] for e in [*splits.train, *splits.validation]} == {"train"}
