"""Per-item scores read from saved predictions, and differences over seeds and test items."""

import gzip
import json

import numpy as np
import pytest
from ftbench import Measurement, Record
from ftbench.analysis.differences import difference
from ftbench.records.predictions import items_of, read_items
from ftbench.stats.item_scores import Items, over_items
from scipy import stats

from tests.support.simulated import answers, contenders


def record(primary="accuracy", value=0.75, tasks=("t",), unit="1", **of_tasks):
    trial = {"seed": 0, "stages": [{"task": {"label": task}} for task in tasks]}
    readings = [Measurement(primary, value, unit, "higher")]
    readings += [Measurement(primary, found, unit, "higher", task=task) for task, found in of_tasks.items()]
    return Record("id", "cell", "env", trial, "ok", primary, measurements=tuple(readings))


def kept(folder, *lines):
    path = folder / "predictions.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(
            json.dumps({"task": "t", "id": f"i{place}", **line}) + "\n" for place, line in enumerate(lines)
        )
    return path


RIGHT, WRONG = {"label": 1, "prediction": 1}, {"label": 1, "prediction": 0}


def test_a_share_of_right_answers_is_seen_by_label_and_prediction(tmp_path):
    found = read_items(kept(tmp_path, RIGHT, WRONG, RIGHT, RIGHT), record())
    assert found.values.tolist() == [1, 0, 1, 1]
    assert (found.metric, found.groups.size, found.largest) == ("accuracy", 0, 1.0)


def test_other_scores_stand_under_their_names(tmp_path):
    found = read_items(kept(tmp_path, {"f1": 0.25}, {"f1": 0.75}), record("f1", 0.5))
    assert found.values.tolist() == [0.25, 0.75]
    # Pseudo-values have a bias far below their standard error; remove it.
    found = read_items(kept(tmp_path, {"f1": 0.2}, {"f1": 0.9}), record("f1", 0.5))
    assert found.values.mean() == pytest.approx(0.5, abs=1e-15)


def test_a_score_without_a_scale_has_no_largest_item(tmp_path):
    assert read_items(kept(tmp_path, {"error": 2.0}, {"error": 4.0}), record("error", 3.0, unit="target")).largest == 0


@pytest.mark.parametrize(
    ("lines", "given", "why"),
    [
        ([RIGHT, WRONG], record(value=0.75), "what each example contributes to accuracy does not add up to the score"),
        (
            [{"f1": 9.0}, {"f1": 9.1}],
            record("f1", 0.5),
            "what each example contributes to f1 does not add up to the score",
        ),
        ([{"f1": None}, {"f1": 0.5}], record("f1", 0.5), "what each example contributes to f1 is not known"),
        ([{}, {}], record("macro_f1", 0.5), "what each example contributes to macro f1 is not known"),
        ([RIGHT], record(tasks=("t", "u")), "accuracy has no value"),
        ([], record(), "no test item was kept"),
    ],
)
def test_what_is_not_known_has_its_reason(lines, given, why, tmp_path):
    assert read_items(kept(tmp_path, *lines), given) == why


def test_predictions_that_are_gone_or_broken_are_no_error(tmp_path):
    path = tmp_path / "predictions.jsonl.gz"
    assert read_items(path, record()) == items_of(tmp_path)(record()) == "the predictions were not kept"
    path.write_bytes(b"no gzip")
    assert read_items(path, record()) == "the predictions cannot be read"
    whole = gzip.compress(b'{"id": "a"}\n' * 1000)
    path.write_bytes(whole[: len(whole) // 2])
    assert read_items(path, record()) == "the predictions cannot be read"


def test_groups_are_told_from_items_of_the_same_name(tmp_path):
    found = read_items(
        kept(tmp_path, {**RIGHT, "group": 7}, {**RIGHT, "group": 7}, {**RIGHT, "id": "7"}, WRONG), record()
    )
    assert found.groups[0] == found.groups[1]
    assert len(set(found.groups.tolist())) == 3


def test_a_sequence_scores_the_mean_over_its_tasks_and_scatters_as_that(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 2, 40), rng.integers(0, 2, 160)
    lines = [
        {"task": task, "label": 1, "prediction": int(a), "id": f"{task}{n}"}
        for task, of in (("t", first), ("u", second))
        for n, a in enumerate(of)
    ]
    given = record(
        value=float((first.mean() + second.mean()) / 2), tasks=("t", "u"), t=float(first.mean()), u=float(second.mean())
    )
    found = read_items(kept(tmp_path, *lines), given)
    assert found.values.mean() == pytest.approx((first.mean() + second.mean()) / 2)
    error = np.sqrt(stats.sem(first) ** 2 + stats.sem(second) ** 2) / 2
    assert stats.sem(found.values) == pytest.approx(error, rel=0.03)


def test_seeds_on_other_items_and_a_single_seed_tell_nothing():
    def of(key, *values):
        return Items("accuracy", key, np.array(values))

    assert over_items([of("a", 0, 1), of("b", 0, 1)]) == "seeds were not tested on the same items"
    assert over_items([of("a", 0, 1)]) == "one seed does not show how seeds vary"
    assert over_items([of("a", 0), of("a", 1)]) == "one item does not show how items vary"
    grouped = [Items("accuracy", "a", np.array([0, 1]), np.array([0, 0]))] * 2
    assert over_items(grouped) == "one group of items does not show how items vary"


def test_a_difference_on_new_items_is_never_narrower_than_on_these():
    rng = np.random.default_rng(0)
    for _ in range(50):
        one, other = contenders(answers(rng, strategies=2, seeds=3, items=100))
        found = difference(one, other, "accuracy")
        assert (
            found.new_items.interval.low <= found.estimate.low <= found.estimate.high <= found.new_items.interval.high
        )
        assert found.new_items.p >= found.p
        assert (found.new_items.items, found.new_items.groups) == (100, None)


def test_a_tiny_test_set_on_which_every_seed_gains_one_item_is_no_claim():
    few = np.ones((2, 3, 10))
    few[0, :, 0] = 0
    found = difference(*contenders(few), "accuracy")
    assert found.estimate.deviation == 0
    assert (found.verdict, found.new_items.verdict) == ("undecided", "undecided")
    assert found.p == found.new_items.p > 0.2
    # One item in ten of five hundred is significant.
    many = np.ones((2, 3, 500))
    many[0, :, ::10] = 0
    assert difference(*contenders(many), "accuracy").verdict == "better"


def test_equal_scores_by_other_answers_are_not_equal_and_equal_answers_are():
    same = np.tile(np.array([0.0, 1.0] * 5), (2, 3, 1))
    assert difference(*contenders(same), "accuracy").verdict == "equivalent"
    other = same.copy()
    other[1] = 1 - other[1]
    assert difference(*contenders(other), "accuracy").verdict == "undecided"


def test_speakers_make_an_interval_wider():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 30)
    found = answers(rng, strategies=2, seeds=5, items=300, groups=groups, of_groups=1.5)
    by_item, by_speaker = (difference(*contenders(found, of), "accuracy").new_items for of in ((), groups))
    assert by_speaker.groups == 10
    assert by_speaker.interval.high - by_speaker.interval.low > 1.5 * (by_item.interval.high - by_item.interval.low)


def test_without_items_the_reason_is_told():
    one, other = contenders(answers(np.random.default_rng(0), strategies=2, seeds=3, items=20))
    other.items.clear()
    assert difference(one, other, "accuracy").new_items is None
