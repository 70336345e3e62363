"""One run that the precision of a class decides: trials, tuning, verdicts, the page, recommendations, gate, leaderboard."""

import json
import shutil

import pytest
from ftbench.analysis.run_summary import summarise_runs
from ftbench.records.predictions import PREDICTIONS, read_items, read_predictions
from ftbench.records.store import read_record, record_files
from sklearn.metrics import precision_score

from tests.conftest import EXAMPLES
from tests.support.in_process import run_in

pytestmark = pytest.mark.slow
METRIC = "precision[right]"
SUITE = f"""
name = "decided"
seeds = [0, 1]
profile = "smoke"
[training]
steps = 6
batch_size = 8
validations = 2
[tuning]
tries = 2
defaults = false
[machine]
threads = 1
[measure]
meters = ["parameters"]
[[backbone]]
use = "line"
[[task]]
use = "points"
metric = "{METRIC}"
train_size = 20
validation_size = 40
test_size = 40
[[strategy]]
use = "full"
[[strategy]]
use = "frozen"
"""


def call(folder, *arguments, check=0):
    return run_in(folder, "-p", EXAMPLES / "quick.py", *arguments, check=check)


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """Run the suite; return its folder and what the command printed."""
    folder = tmp_path_factory.mktemp("decided")
    (folder / "s.toml").write_text(SUITE)
    return folder, call(folder, "run", "s.toml")


def records(decided, *, tuning=False):
    run = decided[0] / "runs" / "decided"
    files = record_files(run, tuning=tuning)
    assert files
    return [(path, read_record(path)) for path in files]


def test_it_is_the_score_of_every_trial_with_what_each_item_contributes(decided):
    for path, record in records(decided):
        lines = read_predictions(path.parent / PREDICTIONS)
        truth, said = ([line[key] for line in lines] for key in ("label", "prediction"))
        value = record.measurement(METRIC).value
        assert (record.primary, value) == (METRIC, pytest.approx(precision_score(truth, said)))
        items = read_items(path.parent / PREDICTIONS, record)
        assert items.values.mean() == pytest.approx(value)
        assert items.largest == 40 / sum(said)


def test_tuning_optimises_it_on_the_validation_split(decided):
    tried = [record for _, record in records(decided, tuning=True)]
    assert all(METRIC in point for record in tried for curve in record.curves for point in curve.validation)
    for _, record in records(decided):
        own = [one for one in tried if one.trial["strategy"]["label"] == record.trial["strategy"]["label"]]
        scores = {one.trial["values"]["lr"]: one.measurement(METRIC) for one in own}
        assert {found.scope for found in scores.values()} == {"validation"}
        assert scores[record.trial["values"]["lr"]].value == max(found.value for found in scores.values())


def test_reports_and_recommendations_rank_by_it(decided):
    folder, done = decided
    target = summarise_runs([folder / "runs/decided"]).targets[0]
    means = [contender.quantities[METRIC].estimate.mean for contender in target.contenders]
    assert target.primary == METRIC
    assert means == sorted(means, reverse=True)
    assert METRIC in done.stdout
    assert f"full · seed 0 {METRIC} " in done.stderr
    assert METRIC in (folder / "runs/decided/report.html").read_text()
    told = call(folder, "recommend", "runs/decided", "--min", f"{METRIC}=0").stdout
    assert f"| strategy | {METRIC} ≥ 0.0 % |" in told


def test_the_gate_checks_it(decided):
    folder, _ = decided
    shutil.copytree(folder / "runs/decided", folder / "base")
    call(folder, "gate", "runs/decided", "--baseline", "base", "--junit", "gate.xml")
    assert METRIC in (folder / "gate.xml").read_text()


def test_a_leaderboard_ranks_by_it(decided):
    folder, _ = decided
    call(folder, "bundle", "runs/decided", "-o", "decided.zip")
    call(folder, "leaderboard", "build", "decided.zip", "-o", "site")
    assert f'"primary": "{METRIC}"' in json.dumps(json.loads((folder / "site/leaderboard.json").read_text()))
