"""A leaderboard: who is ranked with whom, by which run, in which place; and how a series goes on."""

import gzip
import json

import pytest
from ftbench import RunError, __version__
from ftbench.leaderboard.leaderboard import leaderboard_of
from ftbench.leaderboard.submissions import gathered
from ftbench.reporting import Leaderboard
from ftbench.stats import estimate
from ftbench.stats.intervals import SHARE, interval_of

from tests.support.made_runs import (
    copied,
    elsewhere,
    keep_predictions,
    later,
    of,
    record_paths,
    repredicted,
    rewrite,
    value,
)

ITEMS = 60
"""Test items of the run."""


@pytest.fixture
def run(three_seeds, tmp_path):
    """Return a function that makes fresh copies of a real run."""
    return lambda name: copied(three_seeds / "runs" / "tiny", tmp_path / name)


def leaderboard(*runs, drift=()) -> Leaderboard:
    with gathered(runs) as entries:
        return leaderboard_of(entries, "0", drift)


def again(run, days=1.0, version=None):
    """Move a run to `days` later, with one prediction changed, as no run on the same software would be otherwise."""
    return repredicted(later(run, days, version), 1)


def test_rows_meet_where_suite_measuring_device_and_software_are_equal(run):
    board = leaderboard(
        run("a"), elsewhere(run("b")), elsewhere(run("c"), torch="9.9"), again(elsewhere(run("d"), torch="9.9"))
    )
    here = next(one.hardware["cpu"] for one in board.runs if one.hardware["cpu"] != "Another Processor")
    found = sorted(
        (len(group.runs), group.fingerprint.device, group.fingerprint.software["torch"] == "9.9")
        for group in board.groups
    )
    assert found == sorted([(1, here, False), (1, "Another Processor", False), (2, "Another Processor", True)])
    assert len({group.fingerprint.suite for group in board.groups}) == 1
    for group in board.groups:
        assert {one.fingerprint.key for one in board.runs if one.name in group.runs} == {group.fingerprint.key}


def test_software_that_may_drift_does_not_part_rows(run):
    runs = run("a"), again(elsewhere(run("b"), torch="9.9"))
    rewrite(runs[0], lambda record: None)
    elsewhere(runs[0])
    assert len(leaderboard(*runs).groups) == 2
    assert (
        len(leaderboard(*runs, drift=["software.torch"]).groups)
        == len(leaderboard(*runs, drift=["software"]).groups)
        == 1
    )


def test_a_smaller_test_split_another_margin_or_another_measuring_version_is_another_fingerprint(run):
    measuring = again(run("m"))
    rewrite(measuring, lambda record: record["provenance"]["harness"].update(measuring=99))
    margin = repredicted(again(run("n"), 2), 1)
    with (margin / "suite.lock.toml").open("a") as stream:
        stream.write("\n")
    text = (margin / "suite.lock.toml").read_text()
    (margin / "suite.lock.toml").write_text(text.replace("margin = 0.005", "margin = 0.02"))
    board = leaderboard(run("a"), measuring, margin)
    assert len(board.groups) == 3
    assert len({group.fingerprint.suite for group in board.groups}) == 2


def test_of_everyone_the_newest_run_is_ranked_and_the_others_are_history(run):
    newer = repredicted(again(run("b"), version="0.2.0"), 4, where=of("lora"))
    board = leaderboard(run("a"), newer)
    (group,) = board.groups
    assert {*group.sources.values()} == {board.runs[0].name}
    assert [one.harness for one in board.runs] == ["0.2.0", __version__]
    lora = next(c for c in group.summary.targets[0].contenders if c.label == "lora")
    assert lora.quantities["accuracy"].estimate.n == 3
    series = {one.strategy: one for one in board.series}
    assert [point.current for point in series["lora"].points] == [False, True]
    before, after = (point.score.estimate.mean for point in series["lora"].points)
    assert after == pytest.approx(before - 5 / ITEMS)


def test_every_score_and_place_is_what_the_statistics_give(run):
    path = repredicted(run("a"), ITEMS // 2, where=of("lora"))
    (group,) = leaderboard(path).groups
    found = {}
    for record in path.glob("trials/*/*/record.json"):
        table = json.loads(record.read_text())
        found.setdefault(table["trial"]["strategy"]["label"], []).append(value(table, "accuracy"))
    (target,) = group.summary.targets
    for contender in target.contenders:
        expected = estimate(sorted(found[contender.label]))
        assert contender.quantities["accuracy"].estimate.mean == pytest.approx(expected.mean, abs=1e-12)
        # Two strategies do not inform each other: the interval is that of their own seeds, on the logit scale.
        low = interval_of(expected, SHARE).low
        assert contender.quantities["accuracy"].estimate.low == pytest.approx(low, abs=1e-12)
    assert group.places["digits"] == {"full": (1, 1), "lora": (2, 2)}


def test_ties_share_places_and_one_seed_has_none(run):
    tied = run("a")
    wrong = {"full": [3, 9, 5], "lora": [4, 7, 6]}

    def change(record):
        strategy, seed = record["trial"]["strategy"]["label"], record["trial"]["seed"]
        path = next(path for path in record_paths(tied) if json.loads(path.read_text())["id"] == record["id"])
        kept = path.with_name("predictions.jsonl.gz")
        lines = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
        for number, line in enumerate(lines):
            classes = len(line["probabilities"])
            line["prediction"] = (line["label"] + (number < wrong[strategy][seed])) % classes
            line["probabilities"] = [
                0.9 if place == line["prediction"] else 0.1 / (classes - 1) for place in range(classes)
            ]
        keep_predictions(path, record, lines)

    rewrite(tied, change)
    (group,) = leaderboard(tied).groups
    assert group.places["digits"] == {"full": (1, 2), "lora": (1, 2)}
    single = run("b")
    for seed in (1, 2):
        failed = {
            "status": "error",
            "measurements": [],
            "failure": {"kind": "ValueError", "message": "no", "traceback": None},
        }
        rewrite(single, lambda record, failed=failed: record.update(failed), where=of(seed=seed))
    (group,) = leaderboard(single).groups
    assert group.places["digits"] == {}
    assert "one seed cannot show which is better" in group.summary.targets[0].verdict[0]
    assert len(group.summary.targets[0].missing) == 4


def test_one_label_for_two_things_is_two_rows(run):
    from tests.support.made_runs import reconfigured

    board = leaderboard(run("a"), reconfigured(again(run("b")), "lora", rank=3))
    (group,) = board.groups
    labels = {contender.label for contender in group.summary.targets[0].contenders}
    assert "full" in labels
    assert len(labels) == 3
    assert all(label.startswith("lora #") for label in labels - {"full"})


def test_the_order_of_the_runs_does_not_matter(run):
    runs = run("a"), again(run("b")), elsewhere(run("c"))
    from ftbench.leaderboard.json_format import to_json

    assert to_json(leaderboard(*runs)) == to_json(leaderboard(*reversed(runs)))


def test_the_same_trials_in_two_runs_are_repeated_seeds(run):
    other = run("b")
    (other / "accepted.json").write_text('{"schema": "ftbench.accepted/1", "steps": []}')
    with pytest.raises(
        RunError,
        match=r"repeated seeds: 6 of its trials are also in .*, such as seed 0 of full on digits \(tiny-vit\);",
    ):
        leaderboard(run("a"), other)
