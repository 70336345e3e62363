"""A suite with tuning from the command line: killed, gone on with, planned, bundled, shown; and budgets that are not equal."""

import json
import os
import signal
import subprocess
import time

import pytest
from ftbench import load_records
from ftbench.notebook import read_run, read_summary
from ftbench.records.store import record_files

from tests.conftest import EXAMPLES, FTBENCH

SUITE = """
name = "tuned"
seeds = [0, 1, 2]
profile = "smoke"
[training]
steps = 8
batch_size = 4
[machine]
threads = 1
[measure]
meters = ["time"]
[cost]
price_per_hour = 3.6
[tuning]
search = "random"
tries = 6
options = true
[[backbone]]
use = "level"
[[task]]
use = "sealed"
sealed = false
[[strategy]]
use = "response"
"""
PLUGIN = ("-p", EXAMPLES / "response.py")


def records(run):
    return sorted(run.glob("trials/*/*/record.json"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was killed after three tries and gone on with; gives its folder and what the second command said."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "suite.toml").write_text(SUITE)
    call = [FTBENCH, *map(str, PLUGIN), "run", "suite.toml"]
    first = subprocess.Popen(
        call, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    run = folder / "runs" / "tuned"
    until = time.monotonic() + 120
    while len(records(run)) < 3 and first.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert 3 <= len(records(run)) < 6, "killed in the middle of the tries"
    planned = subprocess.run(
        [*call[:-2], "plan", "suite.toml"], cwd=folder, capture_output=True, text=True, timeout=100
    )
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, planned.stdout


@pytest.mark.slow
def test_a_killed_run_goes_on_and_what_counts_is_apart_from_what_was_tried(killed, ftbench):
    folder, _ = killed
    run = folder / "runs" / "tuned"
    tuning = [json.loads(path.read_text())["trial"] for path in record_files(run, tuning=True)]
    assert [trial["role"] for trial in tuning].count("try") == 6
    assert [trial["role"] for trial in tuning].count("default") == 3
    found = read_run(run)
    assert [(r.trial["role"], r.trial["seed"]) for r in found] == [("final", 0), ("final", 1), ("final", 2)]
    assert len(load_records(run)) == 3
    best = max((t for t in tuning if t["role"] == "try"), key=lambda t: value(run, t["values"]))
    assert found[0].trial["values"] == best["values"]
    assert found[0].provenance["tuning"]["tries"] == 6
    again = ftbench(*PLUGIN, "run", "suite.toml", cwd=folder, check=0)
    assert "nothing to do: 12 of 12 trials are done" in again.stdout


def value(run, values):
    for path in record_files(run, tuning=True):
        record = json.loads(path.read_text())
        if record["trial"]["role"] == "try" and record["trial"]["values"] == values:
            return next(m["value"] for m in record["measurements"] if m["name"] == "level")
    return None


@pytest.mark.slow
def test_the_plan_counts_tries_and_what_they_take(killed, ftbench):
    folder, planned = killed
    assert "tuning: 6 tuning trials for 1 strategies" in planned
    assert "tuning trials to run, " in planned
    assert "tuning: 6 trials with chosen or untuned values to run: cost unknown, no similar trial has run" in planned
    rows = [
        json.loads(line)
        for line in ftbench(*PLUGIN, "plan", "suite.toml", "--json", cwd=folder, check=0).stdout.splitlines()
    ]
    assert [row["role"] for row in rows] == ["try"] * 6 + ["final"] * 3 + ["default"] * 3
    assert all(row["values"] for row in rows if row["role"] != "default")


@pytest.mark.slow
def test_the_page_the_bundle_and_show_know_the_tries(killed, ftbench):
    folder, _ = killed
    run = folder / "runs" / "tuned"
    page = (run / "report.html").read_text()
    assert '<section id="tuning"' in page
    assert "Tuning took 6 tuning trials" in page
    ftbench("bundle", "runs/tuned", "-o", "tuned.zip", cwd=folder, check=0)
    from ftbench.records.bundle import unpack

    unpack(folder / "tuned.zip", folder / "unpacked")
    (one,) = read_summary(folder / "unpacked").tuning
    assert len(one.tries) == 6
    assert one.money.value > 0
    assert one.change is not None
    tried = record_files(run, tuning=True)[0].parts[-3]
    assert '"role": "try"' in ftbench("show", "runs/tuned", tried, "--json", cwd=folder, check=0).stdout


@pytest.mark.slow
def test_a_leaderboard_ranks_what_was_chosen_and_never_a_try(killed, ftbench):
    folder, _ = killed
    ftbench("bundle", "runs/tuned", "-o", "published.zip", cwd=folder, check=0)
    ftbench(*PLUGIN, "leaderboard", "build", "published.zip", "-o", "site", cwd=folder, check=0)
    assert ftbench("leaderboard", "verify", "site", cwd=folder, check=0)
    board = json.loads((folder / "site" / "leaderboard.json").read_text())
    (row,) = [row for group in board["groups"] for one in group["boards"] for row in one["rows"]]
    assert row["statuses"] == {"ok": 3}
    assert row["by_seed"] == {
        str(r.trial["seed"]): r.measurement("level").value for r in read_run(folder / "runs" / "tuned")
    }


def test_one_strategy_with_more_tries_is_refused_unless_it_is_shown_apart(ftbench, tmp_path):
    unequal = SUITE + '[[strategy]]\nuse = "response"\nlabel = "more"\ntries = 20\n'
    (tmp_path / "suite.toml").write_text(unequal)
    refused = ftbench(*PLUGIN, "validate", "suite.toml", check=2)
    assert "strategy[2].tries: 20, but the others have 6" in refused.stdout + refused.stderr
    (tmp_path / "suite.toml").write_text(unequal.replace("options = true", "options = true\nunequal = true"))
    assert "valid, 38 trials, 26 of them tuning trials" in ftbench(*PLUGIN, "validate", "suite.toml", check=0).stdout


def test_two_versions_of_a_plugin_are_not_compared_while_values_are_chosen(ftbench, tmp_path):
    from ftbench import Plugins, UserError
    from ftbench.plugins import Selection
    from ftbench.runner.runner import open_run
    from ftbench.suite.parser import read_suite

    (tmp_path / "suite.toml").write_text(SUITE)
    plugins = Plugins.discover(Selection((str(EXAMPLES / "response.py"),)))
    suite = read_suite(tmp_path / "suite.toml", plugins.catalog())
    with (
        pytest.raises(UserError, match="two versions are compared at the same values"),
        open_run(suite, plugins, Selection(), tmp_path, []),
    ):
        pass
