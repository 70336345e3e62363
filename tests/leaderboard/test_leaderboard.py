"""A leaderboard: who is ranked with whom, by which run, in which place; and how a series goes on."""

import json

import pytest
from ftbench import RunError, __version__
from ftbench.leaderboard.leaderboard import leaderboard_of
from ftbench.leaderboard.submissions import gathered
from ftbench.reporting import Leaderboard
from ftbench.stats import estimate
from ftbench.stats.intervals import SHARE, interval_of

from tests.support.made_runs import copied, elsewhere, later, of, rewrite, value


@pytest.fixture
def run(three_seeds, tmp_path):
    """Return a function that makes fresh copies of a real run."""
    return lambda name: copied(three_seeds / "runs" / "tiny", tmp_path / name)


def leaderboard(*runs, drift=()) -> Leaderboard:
    with gathered(runs) as entries:
        return leaderboard_of(entries, "0", drift)


def rescored(run, strategy, shift):
    """Shift the accuracies of a strategy, and remove its predictions, which would contradict them."""

    def change(record):
        for measurement in record["measurements"]:
            if measurement["name"] == "accuracy":
                measurement["value"] += shift

    rewrite(run, change, where=of(strategy))
    for path in run.glob("trials/*/*/predictions.jsonl.gz"):
        path.unlink()
    return run


def test_rows_meet_where_suite_measuring_device_and_software_are_equal(run):
    board = leaderboard(
        run("a"), elsewhere(run("b")), elsewhere(run("c"), torch="9.9"), later(elsewhere(run("d"), torch="9.9"))
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
    runs = run("a"), later(rewrite(elsewhere(run("b"), torch="9.9"), lambda record: None))
    rewrite(runs[0], lambda record: None)
    elsewhere(runs[0])
    assert len(leaderboard(*runs).groups) == 2
    assert (
        len(leaderboard(*runs, drift=["software.torch"]).groups)
        == len(leaderboard(*runs, drift=["software"]).groups)
        == 1
    )


def test_a_smaller_test_split_another_margin_or_another_measuring_version_is_another_fingerprint(run):
    measuring = later(run("m"))
    rewrite(measuring, lambda record: record["provenance"]["harness"].update(measuring=99))
    margin = later(run("n"), 2)
    with (margin / "suite.lock.toml").open("a") as stream:
        stream.write("\n")
    text = (margin / "suite.lock.toml").read_text()
    (margin / "suite.lock.toml").write_text(text.replace("margin = 0.005", "margin = 0.02"))
    board = leaderboard(run("a"), measuring, margin)
    assert len(board.groups) == 3
    assert len({group.fingerprint.suite for group in board.groups}) == 2


def test_of_everyone_the_newest_run_is_ranked_and_the_others_are_history(run):
    newer = later(rescored(run("b"), "lora", -0.05), version="0.2.0")
    board = leaderboard(run("a"), newer)
    (group,) = board.groups
    assert {*group.sources.values()} == {board.runs[0].name}
    assert [one.harness for one in board.runs] == ["0.2.0", __version__]
    lora = next(c for c in group.summary.targets[0].contenders if c.label == "lora")
    assert lora.quantities["accuracy"].estimate.n == 3
    series = {one.strategy: one for one in board.series}
    assert [point.current for point in series["lora"].points] == [False, True]
    before, after = (point.score.estimate.mean for point in series["lora"].points)
    assert after == pytest.approx(before - 0.05)


def test_every_score_and_place_is_what_the_statistics_give(run):
    path = rescored(run("a"), "lora", -0.5)
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
    tied = rescored(run("a"), "lora", 0)
    scores = {0: 0.5, 1: 0.6, 2: 0.55}

    def change(record):
        for measurement in record["measurements"]:
            if measurement["name"] == "accuracy":
                measurement["value"] = (
                    scores[record["trial"]["seed"]]
                    + (record["trial"]["strategy"]["label"] == "full") * [0.02, -0.01, 0.01][record["trial"]["seed"]]
                )

    rewrite(tied, change)
    (group,) = leaderboard(tied).groups
    assert group.places["digits"] == {"full": (1, 2), "lora": (1, 2)}
    single = rescored(run("b"), "lora", 0)
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

    board = leaderboard(run("a"), reconfigured(later(run("b")), "lora", rank=3))
    (group,) = board.groups
    labels = {contender.label for contender in group.summary.targets[0].contenders}
    assert "full" in labels
    assert len(labels) == 3
    assert all(label.startswith("lora #") for label in labels - {"full"})


def test_the_order_of_the_runs_does_not_matter(run):
    runs = run("a"), later(run("b")), elsewhere(run("c"))
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
