"""`ftbench gate` as a CI job calls it: exit codes, output files, one line per error, more seeds on request."""

import json
import xml.etree.ElementTree as ET

import pytest
from ftbench.records.data_check import DataCheck, Flaw, TaskFlaws, write_data_check
from ftbench.records.record_set import read_record_set

from tests.support.made_runs import copied, of, record_paths, rewrite, set_value


@pytest.fixture
def base(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "base")


@pytest.fixture
def head(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "runs" / "tiny")


def scored(run, values, strategy="lora"):
    rewrite(run, lambda record: set_value(record, "accuracy", values[record["trial"]["seed"]]), where=of(strategy))


def test_an_unchanged_run_is_green_and_says_how_much_was_held(ftbench, head, base):
    done = ftbench("gate", head, "--baseline", base, "--strict", check=0)
    assert done.stdout.splitlines()[-1] == f"{head} against {base}: 20 checks: 20 ok"
    assert "accuracy of lora" in ftbench("gate", head, "--baseline", base, "--all", check=0).stdout


def test_a_regression_exits_with_three_and_writes_every_file(ftbench, head, base, tmp_path):
    scored(base, (0.9, 0.91, 0.92))
    scored(head, (0.7, 0.712, 0.72))
    summary = tmp_path / "summary.md"
    done = ftbench(
        "gate",
        head,
        "--baseline",
        base,
        "--junit",
        "j.xml",
        "--markdown",
        "m.md",
        "--github",
        check=3,
        env={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(tmp_path / "out")},
    )
    assert done.stdout.startswith(
        "regressed: accuracy of lora on digits: 91.0 → 71.1 % (−19.9 points, allowed −1.0); 95 % interval ["
    )
    assert "::error title=ftbench gate%3A regressed::accuracy of lora on digits: 91.0 → 71.1 %25" in done.stdout
    assert summary.read_text() == (tmp_path / "m.md").read_text()
    assert (tmp_path / "out").read_text() == "verdict=regressed\n"
    assert ET.parse(tmp_path / "j.xml").getroot().get("failures") == "1"


def test_a_flaw_of_the_data_that_the_baseline_has_not_is_named_and_changes_no_verdict(ftbench, head, base):
    flaw = Flaw("warning", "input empty", 2, ("a.csv line 3",), "remove it")
    for run, flaws in ((base, ()), (head, (flaw,))):
        write_data_check(run, DataCheck((TaskFlaws("digits", flaws),)))
    done = ftbench("gate", head, "--baseline", base, "--github", "--markdown", "m.md", "--strict", check=0)
    line = "digits: warning: 2 × input empty: a.csv line 3; remove it (0 in the baseline)"
    assert [one for one in done.stdout.splitlines() if not one.startswith(("not checked", "::"))] == [
        f"data: {line}",
        f"{head} against {base}: 20 checks: 20 ok",
    ]
    assert f"::warning title=ftbench gate%3A data::{line}" in done.stdout
    assert f"* data: {line}" in (head.parent.parent / "m.md").read_text()
    assert "data:" not in ftbench("gate", base, "--baseline", base, check=0).stdout


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda record: record["trial"].update(suite="other"), 2, "is a run of the suite 'other'"),
        (
            lambda record: record.update(schema="ftbench.record/9"),
            2,
            "made by a newer ftbench (ftbench.record/9; this one reads ftbench.record/1)",
        ),
        (lambda record: record["provenance"]["splits"].update(digits="x"), 5, "not comparable: "),
        (
            lambda record: record.update(status="oom", failure={"kind": "Oom", "message": "m", "traceback": None}),
            1,
            "missing: ",
        ),
    ],
)
def test_what_cannot_be_held_has_its_exit_code_and_a_line(ftbench, head, base, change, code, said):
    rewrite(base, change)
    done = ftbench("gate", head, "--baseline", base)
    assert done.returncode == code
    assert said in (done.stderr if code == 2 else done.stdout)
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stderr.count("\n") == 1
        assert "::error title=ftbench gate::" in ftbench("gate", head, "--baseline", base, "--github").stdout


def test_empty_folders_wrong_calls_and_unwritable_files_are_usage(ftbench, head, base, tmp_path):
    (tmp_path / "empty" / "trials").mkdir(parents=True)
    for arguments in (
        (head,),
        (head, "--baseline", tmp_path / "empty"),
        (tmp_path / "empty", "--baseline", base),
        (head, "--baseline", tmp_path / "nowhere"),
        (head, "--baseline", head / "plan.json"),
        (head, "--baseline", base, "--junit", tmp_path / "no" / "j.xml"),
    ):
        done = ftbench("gate", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_one_seed_is_inconclusive_and_counts_where_strict(ftbench, head, base):
    for run in (head, base):
        plan = json.loads((run / "plan.json").read_text())
        kept = [n for n, place in enumerate(plan["places"]) if place[3] == 0]
        (run / "plan.json").write_text(
            json.dumps({**plan, **{key: [plan[key][n] for n in kept] for key in ("trials", "places")}})
        )
    scored(head, (0.1, 0, 0))
    done = ftbench("gate", head, "--baseline", base, check=0)
    assert "allowed −1.0); over 1 pair; a verdict needs at least 3" in done.stdout
    ftbench("gate", head, "--baseline", base, "--strict", check=4)


@pytest.mark.slow
def test_more_seeds_are_run_where_the_gate_cannot_tell_and_only_there(ftbench, tiny_suite, head, tmp_path):
    suite = tiny_suite(("full", "lora"), seeds="[0, 1, 2]", steps=12, measure="")
    text = suite.read_text()
    suite.write_text(text.replace("[0, 1, 2]", "[0, 1, 2, 3, 4, 5]"))
    ftbench("run", suite, "--runs", "bases", "--no-report", check=0)
    suite.write_text(text)
    base = tmp_path / "bases" / "tiny"
    scored(head, (0.3, 0.65, 0.6, 0, 0, 0))
    before = set(record_paths(head))
    done = ftbench("gate", head, "--baseline", base, "--run", suite, "--strict", check=4)
    assert "inconclusive: 3 more trials, seeds 3, 4, 5" in done.stderr
    fresh = [json.loads(path.read_text()) for path in record_paths(head) if path not in before]
    assert sorted((r["trial"]["strategy"]["label"], r["trial"]["seed"]) for r in fresh) == [
        ("lora", 3),
        ("lora", 4),
        ("lora", 5),
    ]
    assert "over 6 pairs" in done.stdout
    found = read_record_set(head)
    assert found.unfinished == ()
    assert found.seeds == (0, 1, 2, 3, 4, 5)
    again = ftbench("gate", head, "--baseline", base, "--run", suite, check=0)
    assert len(record_paths(head)) == len(before) + len(fresh), "nothing is trained twice"
    assert "over 6 pairs" in again.stdout
    ftbench("run", suite, "--no-report", check=0)
    assert read_record_set(head).seeds == (0, 1, 2)
    ftbench("gate", head, "--baseline", base, "--run", suite, check=0)
    assert read_record_set(head).seeds == (0, 1, 2, 3, 4, 5)


def test_a_suite_of_another_run_directory_is_refused(ftbench, tiny_suite, head, base):
    done = ftbench("gate", base, "--baseline", head, "--run", tiny_suite(), check=2)
    assert "is not its run directory" in done.stderr


def test_margins_are_those_of_the_baseline_unless_a_change_is_allowed(ftbench, tiny_suite, head, base):
    scored(base, (0.9, 0.91, 0.92))
    scored(head, (0.7, 0.712, 0.72))
    ftbench("gate", head, "--baseline", base, check=3)
    suite = tiny_suite(("full", "lora"), seeds="[0, 1, 2]", steps=12, measure="", extra="[gate]\nmargin = 0.5\n")
    done = ftbench("gate", head, "--baseline", base, "--run", suite, "--junit", "j.xml", check=5)
    assert done.stderr.splitlines()[-1] == (
        "error: not comparable: gate.margin is 0.01 in the baseline and 0.5 here; create the baseline again, or take those of "
        "the run with `--allow-drift gate`"
    )
    assert " ok " not in done.stderr, "nothing is trained before the margins are known to be comparable"
    ftbench("gate", head, "--baseline", base, "--run", suite, "--allow-drift", "gate.margin", check=0)
    # The directory of the run has them now, as that of a forged bundle would.
    ftbench("gate", head, "--baseline", base, check=5)
    ftbench("gate", head, "--baseline", base, "--allow-drift", "gate", check=0)
    ftbench("gate", head, "--baseline", base, "--allow-drift", "gate.alpha", check=5)


def test_a_suite_is_run_whatever_the_directory_of_an_earlier_run_holds(ftbench, tmp_path):
    from shutil import copyfile

    from tests.conftest import ROOT
    from tests.faults.quick_suite import write

    suite = write(tmp_path, seeds=3, variants=1)
    plugin = tmp_path / "quick.py"
    copyfile(ROOT / "tests" / "examples" / "quick.py", plugin)
    ftbench("-p", plugin, "run", suite, "--no-report", check=0)
    ftbench("bundle", "runs/quick", "-o", "base.zip", check=0)
    before = set(record_paths(tmp_path / "runs" / "quick"))
    gate = ("-p", plugin, "gate", "runs/quick", "--run", suite, "--baseline", "base.zip")
    ftbench(*gate, check=0)
    assert set(record_paths(tmp_path / "runs" / "quick")) == before
    plugin.write_text(plugin.read_text() + "\nVERSION = 2\n")
    ftbench(*gate, check=0)
    assert len(set(record_paths(tmp_path / "runs" / "quick")) - before) == 3, "trained again, under other ids"


def test_what_is_wrong_in_the_table_of_margins_is_said_by_its_key(ftbench, tiny_suite):
    suite = tiny_suite(extra="[gate]\nmargin = 0\nlooks = [6, 3]\nmargins = { accuracy = 'x' }\nmargn = 1\n")
    done = ftbench("validate", suite, check=2)
    for key in ("gate.margin:", "gate.margins", "gate.margn: "):
        assert key in done.stderr
    done = ftbench("validate", tiny_suite(extra="[gate]\nlooks = [6, 3]\n"), check=2)
    assert "gate.looks: must increase" in done.stderr
