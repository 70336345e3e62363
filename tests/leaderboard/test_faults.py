"""Eight ways to forge a leaderboard: each is refused, named on the page, or found by training trials again."""

import gzip
import json
import re

import pytest
from ftbench import RunError
from ftbench.leaderboard.leaderboard import leaderboard_of
from ftbench.leaderboard.site import build, verify
from ftbench.leaderboard.submissions import gathered

from ftbench_plugins.reports.site.pages import Site
from tests.support.made_runs import (
    bundled,
    copied,
    elsewhere,
    keep_predictions,
    later,
    of,
    record_paths,
    repredicted,
    rewrite,
    set_value,
    without_trials,
)


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


@pytest.fixture
def published(catalog, tmp_path):
    """Return a function that publishes runs as somebody who writes bundles by hand; it returns the leaderboard."""

    def publish(*runs):
        folder = tmp_path / "results"
        folder.mkdir(exist_ok=True)
        bundles = [bundled(one, folder / f"{one.name}.zip") for one in runs]
        with gathered(bundles, catalog) as entries:
            return leaderboard_of(entries, "0")

    return publish


def refused(published, *runs):
    with pytest.raises(RunError) as caught:
        published(*runs)
    return [line.partition(": ")[2] for line in caught.value.mistakes]


def test_1_predictions_that_are_set_to_their_labels_are_consistent_and_published_as_not_re_run(run, published):
    """Nothing in the bundle contradicts it: `verify --rerun` does, see `test_reruns`."""
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if record["trial"]["strategy"]["label"] == "lora":
            kept = path.with_name("predictions.jsonl.gz")
            lines = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
            for line in lines:
                line["prediction"] = line["label"]
                classes = len(line["probabilities"])
                line["probabilities"] = [0.91 if place == line["label"] else 0.01 for place in range(classes)]
            keep_predictions(path, record, lines)
    board = published(run)
    assert board.groups[0].summary.targets[0].answer.leader == "lora"
    assert all("not re-run" in text for path, text in Site(board).files() if path == "index.html")


def test_1_labels_that_are_set_to_the_predictions_are_refused(run, published):
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if record["trial"]["strategy"]["label"] == "lora" and record["trial"]["seed"] == 1:
            kept = path.with_name("predictions.jsonl.gz")
            lines = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
            for line in lines:
                line["label"] = line["prediction"]
            keep_predictions(path, record, lines)
    (fault,) = refused(published, run)
    assert fault.startswith("seed 1 of lora on digits (tiny-vit): the label of item 'digit-")
    assert re.search(r"is not that in seed \d of (full|lora) on digits", fault)


def test_1_wrong_items_that_are_left_out_are_missed(run, published):
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if record["trial"]["strategy"]["label"] == "lora" and record["trial"]["seed"] == 2:
            kept = path.with_name("predictions.jsonl.gz")
            lines = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
            wrong = next(line for line in lines if line["label"] != line["prediction"])
            keep_predictions(path, record, [line for line in lines if line is not wrong])
    (fault,) = refused(published, run)
    assert re.match(r"seed 2 of \w+ on digits \(tiny-vit\): its test items are not those of seed 2 of ", fault)


SCORES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "weighted_f1", "precision", "recall", "mcc", "auc"),
    *("average_precision", "calibration_error", "loss"),
)


def test_2_every_score_that_follows_from_predictions_is_refused_if_it_differs(run, published):
    """One score is changed in each record; the run has six."""
    paths = record_paths(run)
    for first in range(0, len(SCORES), len(paths)):
        forged = copied(run, run.parent / f"forged-{first}")
        names = {}
        for path, name in zip(record_paths(forged), SCORES[first:], strict=False):
            record = json.loads(path.read_text())
            for measurement in record["measurements"]:
                if measurement["name"] == name and measurement["scope"] == "test":
                    measurement["value"] = measurement["value"] / 2 if name == "loss" else 1.0
            path.write_text(json.dumps(record))
            names[record["trial"]["strategy"]["label"], record["trial"]["seed"]] = name
        faults = refused(published, forged)
        assert len(faults) == len(names)
        for (strategy, seed), name in names.items():
            (fault,) = [one for one in faults if one.startswith(f"seed {seed} of {strategy} on digits (tiny-vit): ")]
            if name == "accuracy":
                assert fault.endswith("what each example contributes to accuracy does not add up to the score")
            else:
                assert f": {name.replace('_', ' ')} is " in fault
                assert ", but its predictions give " in fault


def test_2_the_confusion_matrix_follows_from_predictions(run, published):
    def change(record):
        (matrix,) = record["confusion"].values()
        matrix[0][0], matrix[0][1] = matrix[0][0] - 1, matrix[0][1] + 1

    rewrite(run, change, where=of("full", 0))
    assert refused(published, run) == [
        "seed 0 of full on digits (tiny-vit): the confusion matrix does not follow from its predictions"
    ]


def test_3_predictions_are_required(run, published):
    (path,) = [path for path in record_paths(run) if of("full", 0)(json.loads(path.read_text()))]
    path.with_name("predictions.jsonl.gz").unlink()
    rewrite(run, lambda record: set_value(record, "accuracy", 0.999), where=of("full", 0))
    said = "its predictions are required to check its scores: the predictions were not kept"
    assert refused(published, run) == [f"seed 0 of full on digits (tiny-vit): {said}"]
    path.with_name("predictions.jsonl.gz").write_bytes(gzip.compress(b""))
    (fault,) = refused(published, run)
    assert "its predictions are required" in fault


def test_4_another_deciding_score_is_refused(run, published):
    rewrite(run, lambda record: record.update(primary="macro_f1"))
    faults = refused(published, run)
    assert len(faults) == 6
    assert all(fault.endswith(": is decided by macro_f1, but its task by accuracy") for fault in faults)


def test_5_the_same_run_under_another_date_is_a_duplicate(run, published, tmp_path):
    copy = later(copied(run, tmp_path / "copy"), days=1 / 86400)
    (fault,) = refused(published, run, copy)
    assert fault.startswith("repeated seeds: 6 of its trials are also in ")
    assert fault.endswith("they predict the same, so keep one of the two")
    # What is kept besides the predictions does not make it another run, nor does another order.
    for path in copy.glob("trials/*/*/predictions.jsonl.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines()
        changed = [json.dumps({**json.loads(line), "comment": "mine"}) for line in reversed(lines)]
        path.write_bytes(gzip.compress("\n".join(changed).encode()))
    (fault,) = refused(published, run, copy)
    assert fault.startswith("repeated seeds: 6 of its trials are also in ")
    assert len(published(run, repredicted(copy)).runs) == 2


def test_6_the_same_predictions_on_another_machine_are_named_on_both_runs(run, published, tmp_path):
    board = published(run, elsewhere(copied(run, tmp_path / "faster"), cpu="Faster Processor"))
    assert len(board.groups) == 2
    names = [one.name for one in board.runs]
    assert [one.twins for one in board.runs] == [(names[1],), (names[0],)]
    files = dict(Site(board).files())
    for name, other in zip(names, reversed(names), strict=True):
        assert (
            f'predicts exactly what <a href="../runs/{other}.html">{other}</a> predicts' in files[f"runs/{name}.html"]
        )


def test_7_a_seed_that_the_plan_lost_is_named(run, published):
    without_trials(run, seed=0)
    plan = json.loads((run / "plan.json").read_text())
    keep = [n for n, place in enumerate(plan["places"]) if place[3] != 0]
    plan.update(trials=[plan["trials"][n] for n in keep], places=[plan["places"][n] for n in keep])
    (run / "plan.json").write_text(json.dumps(plan))
    assert refused(published, run) == [
        f"seed 0 of {strategy} on digits (tiny-vit) is missing: the suite has that seed, but the plan does not"
        for strategy in ("full", "lora")
    ]
    lock = (run / "suite.lock.toml").read_text()
    start = lock.index("seeds = [")
    (run / "suite.lock.toml").write_text(f"{lock[:start]}seeds = [1, 2]{lock[lock.index(']', start) + 1 :]}")
    board = published(run)
    assert board.runs[0].absent_seeds == (0,)
    files = dict(Site(board).files())
    suite = next(text for path, text in files.items() if path.startswith("suites/") and path.endswith(".html"))
    for text in (files["index.html"], suite, files[f"runs/{board.runs[0].name}.html"]):
        assert "without seed 0" in text


def test_8_files_that_build_does_not_write_are_refused(run, catalog, tmp_path):
    reports = [catalog.build("reports", "html", {})]
    site = tmp_path / "site"
    with gathered([run], catalog) as entries:
        build(entries, reports, site, "0")
    assert verify(site, reports, "0", catalog).faults == ()
    script = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for name in ("logo.svg", "index.htm", "suites/x.js", "new/deep.html", "badges/other.svg", "bundles.json"):
        path = site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)
        assert f"{path}: is not a file of this leaderboard" in verify(site, reports, "0", catalog).faults
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    page = next((site / "suites").glob("*.html"))
    page.rename(tmp_path / "elsewhere.html")
    page.symlink_to(tmp_path / "elsewhere.html")
    assert verify(site, reports, "0", catalog).faults == (f"{page}: is a link",)
    page.unlink()
    (tmp_path / "elsewhere.html").rename(page)
    (site / "link").symlink_to(tmp_path)
    assert verify(site, reports, "0", catalog).faults == (f"{site}/link: is not a file of this leaderboard",)
    (site / "link").unlink()
    # Files by which a host finds a site say nothing on a page.
    (site / "CNAME").write_text("board.example\n")
    (site / ".nojekyll").touch()
    assert verify(site, reports, "0", catalog).faults == ()
    (site / "CNAME").write_text(script)
    assert verify(site, reports, "0", catalog).faults == (f"{site}/CNAME: is not a file of this leaderboard",)


def test_bundles_are_unpacked_one_after_the_other_and_refused_ones_go_at_once(run, catalog, tmp_path, monkeypatch):
    import tempfile

    from ftbench.leaderboard import entry

    space = tmp_path / "space"
    space.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(space))
    results = tmp_path / "results"
    results.mkdir()
    for number in range(3):
        bundled(repredicted(later(run)), results / f"{number}.zip")
    without_trials(run, seed=0)
    bundled(run, results / "9.zip")
    there = []
    unpack = entry.unpack
    monkeypatch.setattr(
        entry, "unpack", lambda bundle, folder: (there.append(sorted(space.iterdir())), unpack(bundle, folder))
    )
    with pytest.raises(RunError), gathered([results], catalog):
        pass
    assert [len(one) for one in there] == [1, 1, 1, 1]
    assert list(space.iterdir()) == []
    (results / "9.zip").unlink()
    with gathered([results], catalog) as entries:
        assert len(entries) == 3
        assert list(space.iterdir()) == []
