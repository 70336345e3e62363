"""Summaries of one run or several: what is merged, what is refused, and planned trials without a record."""

import json
import signal
import subprocess
from contextlib import contextmanager
from functools import partial

import pytest
from ftbench import NotComparable, RunError
from ftbench.analysis.run_summary import summarise_runs
from ftbench.records.bundle import pack

from tests.conftest import FTBENCH
from tests.support.made_runs import copied, of, record_paths, rewrite


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "first")


def another(three_seeds, tmp_path, change, *, where=lambda record: True):
    """Return a run with changed records, under other ids."""
    folder = copied(three_seeds / "runs" / "tiny", tmp_path / "second")
    rewrite(folder, change, where=where)
    return folder


def labels(summary):
    return [c.label for target in summary.targets for c in target.contenders]


def called(name):
    def change(record):
        record["trial"]["strategy"]["label"] = name

    return change


def test_a_bundle_gives_the_summary_of_its_run(run, tmp_path):
    pack(run, tmp_path / "run.zip")
    ours, packed = summarise_runs([run]), summarise_runs([tmp_path / "run.zip"])
    assert (packed.targets[0].verdict, packed.statuses) == (ours.targets[0].verdict, ours.statuses)


def test_runs_of_different_strategies_stand_side_by_side(three_seeds, run, tmp_path):
    other = another(three_seeds, tmp_path, called("lora-again"), where=of("lora"))
    found = summarise_runs([run, other])
    assert sorted(labels(found)) == ["full", "lora", "lora-again"]
    assert found.remarks == ("3 trials are in more than one run; the first run's records are shown",)
    assert len(found.trials) == 9


def test_a_strategy_of_other_settings_under_the_same_label_stands_once_for_each_run(three_seeds, run, tmp_path):
    def change(record):
        record["trial"]["strategy"]["options"]["rank"] = 2

    found = summarise_runs([run, another(three_seeds, tmp_path, change, where=of("lora"))])
    assert sorted(labels(found)) == ["full", "lora (first)", "lora (second)"]


def test_runs_of_different_seeds_are_one_strategy_with_more_seeds(three_seeds, run, tmp_path):
    def change(record):
        record["trial"]["seed"] += 10

    found = summarise_runs([run, another(three_seeds, tmp_path, change)])
    assert {c.label: c.quantities["accuracy"].estimate.n for c in found.targets[0].contenders} == {"full": 6, "lora": 6}
    assert found.remarks == ()


def newer_torch(record):
    record["provenance"]["software"]["torch"] = "99.0"


def test_what_runs_must_not_differ_in_is_named_and_may_be_allowed(three_seeds, run, tmp_path):
    def change(record):
        newer_torch(record)
        record["trial"]["strategy"]["label"] += "-later"

    other = another(three_seeds, tmp_path, change)
    with pytest.raises(
        NotComparable, match=r"not comparable: software\.torch: .* → \"99\.0\"; use `--allow-drift FIELD`"
    ):
        summarise_runs([run, other])
    found = summarise_runs([run, other], allowed=["software.torch"])
    assert "lora-later" in labels(found)
    assert any(remark.startswith("the runs differ in software.torch") for remark in found.remarks)


def test_a_trial_without_a_record_is_a_row(run):
    gone = record_paths(run)[0]
    named = json.loads(gone.read_text())["trial"]
    gone.unlink()
    found = summarise_runs([run])
    assert [(m.contender, m.seed, m.status) for m in found.targets[0].missing] == [
        (named["strategy"]["label"], named["seed"], "missing")
    ]
    assert found.statuses == {"ok": 5, "missing": 1}


def test_what_a_failed_trial_wrote_is_kept_with_it(run):
    def fail(record):
        record |= {
            "status": "error",
            "measurements": [],
            "failure": {"kind": "ValueError", "message": "why", "traceback": "Traceback"},
        }

    rewrite(run, fail, where=of("lora", 1))
    log = next(
        path
        for path in run.glob("trials/*/*/attempts/1/output.log")
        if json.loads((path.parents[2] / "record.json").read_text())["status"] == "error"
    )
    log.write_text("x" * 5000 + "the last line\n")
    (line,) = [one for one in summarise_runs([run]).trials if one.status == "error"]
    assert line.log.endswith("the last line\n")
    assert len(line.log) == 2000


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match="not a run directory"):
        summarise_runs([tmp_path])


# ---- the command -----------------------------------------------------------------------------------------------------


def test_runs_that_are_not_comparable_end_with_five_and_write_nothing(ftbench, three_seeds, run, tmp_path):
    other = another(three_seeds, tmp_path, newer_torch)
    done = ftbench("report", run, other, "-o", "out", check=5)
    assert "not comparable: software.torch" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_bundle_is_reported_here_in_every_format(ftbench, run, tmp_path):
    pack(run, tmp_path / "run.zip")
    done = ftbench("report", "run.zip", "--no-examples", check=0)
    assert sorted(done.stdout.split()) == ["report.csv", "report.html", "report.md", "report.tex"]
    assert (tmp_path / "report.tex").read_text().count(r"\begin{table}") == 1


def test_open_hands_the_page_to_the_browser(ftbench, run, tmp_path):
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    ftbench("report", run, "-f", "html", "--no-examples", "--open", check=0, env={"BROWSER": str(browser)})
    assert (tmp_path / "opened").read_text().strip() == (run / "report.html").resolve().as_uri()


@contextmanager
def watching(run):
    """Watch a run with Ctrl-C enabled, as in a terminal, and end the watching process afterwards."""
    command = [FTBENCH, "report", run, "--watch", "--no-examples"]
    restored = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restored,  # noqa: PLW1509  # it only restores a signal handler, which takes no lock
    ) as watch:
        try:
            yield watch
        finally:
            watch.kill()


def test_watching_writes_again_when_a_trial_ends_and_stops_with_the_last(run):
    last = record_paths(run)[-1]
    kept = last.read_text()
    last.unlink()
    with watching(run) as watch:
        assert watch.stdout.readline().strip() == str(run / "report.html")
        page = (run / "report.html").read_text()
        assert '<meta http-equiv="refresh" content="5">' in page
        assert "<b>1</b> missing" in page
        last.write_text(kept)
        assert watch.wait(timeout=120) == 0
    page = (run / "report.html").read_text()
    assert 'http-equiv="refresh"' not in page
    assert "<b>6</b> trials ok" in page


def test_ctrl_c_ends_watching_quietly(run):
    record_paths(run)[-1].unlink()
    with watching(run) as watch:
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, complaints = watch.communicate(timeout=60)
        assert watch.returncode == 0
    assert complaints == "watching; press Ctrl-C to stop\n"
