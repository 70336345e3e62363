"""What an earlier ftbench wrote stays readable; what a newer one wrote is refused in a line. The files lie in `golden/versions`."""

import json
import shutil
import zipfile

import pytest
from ftbench.analysis.forecast import read_calibration
from ftbench.gate.gate import hold
from ftbench.notebook import read_summary
from ftbench.records.accepted_changes import AcceptedChange, write_steps
from ftbench.records.bundle import pack, unpack
from ftbench.records.record_set import read_record_set
from ftbench.suite.parser import read_suite
from ftbench.suite.planning import plan
from ftbench.suite.suite import Gate

from tests.conftest import ROOT
from tests.support.in_process import call, refused
from tests.support.made_runs import record_paths

GOLDEN = ROOT / "tests" / "golden" / "versions"
RUNS = ("run-notes-0", "run-notes-1")
"""The same run, its plan, lock and calibration as they were before they named a version, and after."""


@pytest.fixture
def run(request, tmp_path):
    unpack(GOLDEN / f"{request.param}.zip", tmp_path / "golden")
    return tmp_path / "golden"


def scores(path):
    found = read_record_set(path)
    return {
        f"{place.target}/{place.strategy}/{seed}": [
            record.status,
            reading.value if (reading := record.measurement(record.primary)) else None,
        ]
        for place, records in found.records.items()
        for seed, record in records.items()
    }


@pytest.mark.parametrize("name", RUNS)
def test_bundles_of_every_version_give_the_scores_they_gave(name):
    expected = json.loads((GOLDEN / "scores.json").read_text())
    assert scores(GOLDEN / f"{name}.zip") == expected
    found = read_record_set(GOLDEN / f"{name}.zip")
    assert (found.gate.looks, found.seeds, found.unfinished, found.suite) == ((3, 6), (0, 1), (), "golden")
    assert [(step.reason, step.strategy, step.before) for step in found.accepted] == [
        ("meant to be", "full", (0.3, 0.4))
    ]


@pytest.mark.parametrize("run", RUNS, indirect=True)
def test_run_directories_of_every_version_are_read_by_every_command(run, tmp_path):
    assert read_calibration(run)["digits", "accuracy"].s_d == 0.02
    assert [target.label for target in read_summary(run).targets] == ["digits", "both"]
    trial = record_paths(run)[0].parts[-3]
    assert "status" in call("show", run, trial).out
    for arguments in (
        ("report", run),
        ("compare", run, "--baseline", "full"),
        ("compare", run, run),
        ("gate", run, "--baseline", run),
    ):
        done = call(*arguments)
        assert done.code in (0, 1), done.err
        assert "Traceback" not in done.err
    pack(run, tmp_path / "again.zip")
    assert scores(tmp_path / "again.zip") == scores(run)


@pytest.mark.parametrize("name", ["suite-0", "suite-1"])
def test_suites_of_every_version_are_planned(name, catalog):
    suite = read_suite(GOLDEN / f"{name}.toml", catalog)
    assert len(plan(suite, catalog)) == {"suite-0": 10, "suite-1": 14}[name]
    assert suite.training.steps == 3


@pytest.mark.parametrize("run", RUNS[1:], indirect=True)
@pytest.mark.parametrize("metric", ["accuracy", "trainable_parameters"])
@pytest.mark.parametrize(
    ("seeds", "before", "after"), [((0, 1), (), ()), ((0,), (0.5, 0.6), (0.4,)), ((0, 1), (0.5, 0.5), ())]
)
def test_an_accepted_step_whose_values_are_not_one_a_seed_moves_nothing(metric, seeds, before, after, run):
    write_steps(
        run, [AcceptedChange("r", "digits", "tiny-vit", "full", metric, seeds=seeds, before=before, after=after)]
    )
    checks = hold(read_record_set(GOLDEN / "run-notes-1.zip"), read_record_set(run), Gate())
    assert "accepted" not in {check.verdict for check in checks}


NEWER = {
    "record.json": ("ftbench.record/1", "ftbench.record/2"),
    "plan.json": ("ftbench.plan/1", "ftbench.plan/2"),
    "suite.lock.toml": ("ftbench.lock/1", "ftbench.lock/2"),
    "accepted.json": ("ftbench.accepted/1", "ftbench.accepted/2"),
}


@pytest.mark.parametrize("run", RUNS[1:], indirect=True)
@pytest.mark.parametrize("file", NEWER)
def test_what_a_newer_ftbench_wrote_is_refused_in_a_line(file, run):
    known, newer = NEWER[file]
    path = next(run.rglob(file))
    path.write_text(path.read_text().replace(known, newer))
    said = f"made by a newer ftbench ({newer}; this one reads {known}); update ftbench to read it"
    assert said in refused("gate", run, "--baseline", GOLDEN / "run-notes-1.zip")
    assert said in refused("gate", GOLDEN / "run-notes-1.zip", "--baseline", run)
    if file != "accepted.json":
        assert said in refused("report", run)


@pytest.mark.parametrize("run", RUNS[1:], indirect=True)
def test_a_newer_calibration_suite_or_bundle_is_refused_in_a_line(run, tmp_path):
    path = run / "calibration.json"
    path.write_text(path.read_text().replace("calibration/1", "calibration/2"))
    suite = tmp_path / "golden.toml"
    shutil.copy(GOLDEN / "suite-1.toml", suite)
    assert "made by a newer ftbench (ftbench.calibration/2" in refused("plan", suite, "--runs", tmp_path)
    suite.write_text(suite.read_text().replace("suite/1", "suite/2") + '\n[unheard-of]\nkey = "of"\n')
    for command in ("validate", "plan", "run"):
        assert f"{suite}: schema: made by a newer ftbench (ftbench.suite/2" in refused(command, suite)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("manifest.json", '{"schema": "ftbench.bundle/2", "files": 7}')
    assert "made by a newer ftbench (ftbench.bundle/2" in refused("compare", run, tmp_path / "b.zip")
