"""The data of a suite are checked before its first trial: warnings are printed, errors stop the run."""

import csv
import json

import pytest

from tests.data.test_checks import sentence, sound_rows

SUITE = """
name = "s"
seeds = [0]
profile = "smoke"
training.epochs = 1
measure.meters = ["time"]
[[backbone]]
use = "minilm"
[[strategy]]
use = "none"
[[task]]
use = "text-classification"
label = "mine"
data = "data.csv"
"""


@pytest.fixture
def given(tmp_path):
    """Write the table of the suite's task, and the suite."""

    def write(rows, suite=SUITE):
        with (tmp_path / "data.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), *rows])
        (tmp_path / "s.toml").write_text(suite)

    return write


def with_leak():
    """Return rows of which some are both in the training and the test split."""
    rows = sound_rows()
    return [*rows, *rows]


def test_the_command_prints_a_line_each_and_strict_runs_nothing(ftbench, given, tmp_path):
    given([*sound_rows(), ("", "yes"), (sentence(900), "")])
    printed = ftbench("data", "check", "s.toml", check=0).stdout
    assert "warning 1 × input empty: " in printed
    assert "; there is nothing to learn from: remove these rows" in printed
    assert ftbench("data", "check", "s.toml", "--strict").returncode == 2
    refused = ftbench("run", "s.toml", "--strict")
    assert refused.returncode == 2
    assert "error: s.toml: mine: warning 1 × input empty" in refused.stderr
    assert "error: s.toml: mine: warning 1 × label missing" in refused.stderr
    assert not (tmp_path / "runs").exists()
    assert "data: mine: warning 1 × input empty" in ftbench("run", "s.toml", check=0).stderr
    given([("a", "b")] * 20)
    assert "holds 1 classes; at least two are needed" in ftbench("run", "s.toml").stderr


def test_errors_stop_the_run_before_its_first_trial_unless_they_are_allowed(ftbench, given, tmp_path):
    given(with_leak())
    stopped = ftbench("run", "s.toml")
    assert stopped.returncode == 2
    (line,) = stopped.stderr.strip().splitlines()
    assert line.startswith("error: s.toml: mine: error ")
    assert "× same input in two splits: " in line
    assert line.endswith("; correct the data, or go on with --allow-data-errors")
    assert not (tmp_path / "runs").exists()
    assert "exclude each other" in ftbench("run", "s.toml", "--strict", "--allow-data-errors").stderr

    done = ftbench("run", "s.toml", "--allow-data-errors", check=0)
    assert "data: mine: error " in done.stderr
    assert "Errors in the data of mine" in done.stdout
    kept = json.loads((tmp_path / "runs" / "s" / "data.json").read_text())
    assert kept["allowed"] is True
    assert [flaw["kind"] for flaw in kept["tasks"][0]["flaws"] if flaw["severity"] == "error"] == [
        "same input in two splits"
    ]
    # Finished trials are not judged again.
    assert "nothing to do" in ftbench("run", "s.toml", check=0).stdout


def test_a_task_that_does_not_run_stops_nothing(ftbench, given, tmp_path):
    other = '\n[[task]]\nuse = "word-sentiment"\ntrain_size = 20\nvalidation_size = 20\ntest_size = 20\n'
    given(with_leak(), SUITE + other)
    assert ftbench("run", "s.toml").returncode == 2
    done = ftbench("run", "s.toml", "--only", "word-sentiment", check=0)
    assert "data: mine: error " in done.stderr
    assert json.loads((tmp_path / "runs" / "s" / "data.json").read_text())["allowed"] is False
