"""A run directory of someone else: nothing in it leads out of it, in circles, or to what is not a file."""

import json
import os
import shutil
import signal
import stat

import pytest
from ftbench import RunError
from ftbench.analysis.forecast import read_calibration
from ftbench.analysis.run_summary import summarise_runs
from ftbench.files import open_file, write_whole
from ftbench.leaderboard.submissions import add
from ftbench.records.bundle import EXTRA_FILES, pack, unpack
from ftbench.records.cleanup import find_orphans, remove
from ftbench.records.predictions import PREDICTIONS
from ftbench.records.record_set import read_record_set
from ftbench.records.run_lock import NAME, is_held
from ftbench.records.store import CHECKPOINTS, ENDED, RECORD, Store, find_records, read_record
from ftbench.records.trial_log import PRINTED, find_trial, printed

from tests.end_to_end.test_versions import GOLDEN
from tests.support.made_runs import record_paths

SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----"


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """A run directory in which every kind of file is there."""
    run = tmp_path_factory.mktemp("links") / "notes"
    unpack(GOLDEN / "run-notes-1.zip", run)
    plan = json.loads((run / "plan.json").read_text())
    kept = plan["trials"][:2]
    (run / "plan.json").write_text(json.dumps({**plan, "trials": kept, "places": plan["places"][:2], "tuning": {}}))
    for trial in (run / "trials").iterdir():
        if trial.name not in kept:
            shutil.rmtree(trial)
    first = record_paths(run)[0].parent
    for number in (1, 2):
        attempt = first / "attempts" / str(number)
        attempt.mkdir(parents=True)
        (attempt / "spec.json").write_text(json.dumps({"trial": json.loads((first / RECORD).read_text())["trial"]}))
        (attempt / PRINTED).write_text("printed\n")
    (first / "attempts" / "1" / ENDED).write_text(
        json.dumps({"number": 1, "status": "infra", "kind": "", "message": "", "seconds": 1.0})
    )
    (first / CHECKPOINTS).mkdir()
    (run / NAME).write_text("")
    return run


def kinds_of_files(run):
    """Return the name of every kind of file and folder in a run directory, with one of that kind."""
    first = record_paths(run)[0].parent
    attempt = first / "attempts" / "1"
    inside = (RECORD, PREDICTIONS, "attempts", CHECKPOINTS)
    found = [*(run / name for name in (*EXTRA_FILES, NAME, "trials")), first.parent, first]
    found += [*(first / name for name in inside), attempt, *(attempt / name for name in (ENDED, PRINTED, "spec.json"))]
    return [str(path.relative_to(run)) for path in found]


def to_a_file(path, outside):
    path.symlink_to(outside / "id_rsa")


def to_a_folder(path, outside):
    path.symlink_to(outside)


def to_itself(path, _outside):
    path.symlink_to(path)


def to_its_folder(path, _outside):
    path.symlink_to(path.parent)


def pipe(path, _outside):
    os.mkfifo(path)


def device(path, _outside):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


HOW = (to_a_file, to_a_folder, to_itself, to_its_folder, pipe, device)


CHANGING = ("reopen", "attempt", "clean", "lock")


def actions(run, output):
    """Return everything that reads or changes a run directory."""
    first = record_paths(run)[0].parent if (run / "trials").is_dir() and record_paths(run) else run
    trial, environment = first.parent.name, first.name
    store = Store(run)

    def clean():
        for one in find_orphans(run, attempts=True, unplanned=True):
            remove(one)

    def lock():
        store.claim()
        store.release()

    return {
        "pack": lambda: pack(run, output / "run.zip"),
        "add": lambda: add(run, output / "results"),
        "read": lambda: read_record_set(run),
        "summarise": lambda: summarise_runs([run]),
        "calibration": lambda: read_calibration(run),
        "show": lambda: [read_record(path) for path in find_records(run, trial)],
        "log": lambda: b"".join(printed(find_trial(run, trial), 1)),
        "held": lambda: is_held(run),
        "status": lambda: (store.status(trial, environment), store.earlier(trial, environment)),
        "checkpoints": lambda: store.checkpoints(trial, environment),
        "reopen": lambda: store.reopen(trial, environment),
        "attempt": lambda: store.new_attempt(trial, environment),
        "clean": clean,
        "lock": lock,
    }


@pytest.fixture
def limited():
    """A minute for everything: what waits for a pipe would wait for ever."""

    def hangs(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def everything(folder):
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("how", HOW)
def test_what_leads_out_of_a_run_directory_is_refused_by_all_that_read_it(how, golden, tmp_path):
    outside = tmp_path / "outside"
    (outside / "1").mkdir(parents=True)
    for name in ("id_rsa", ".record.json.999999999", "x.tmp", PRINTED, RECORD, PREDICTIONS, "1/" + PRINTED):
        (outside / name).write_text(SECRET)
    before, refused = everything(outside), set()
    for name in kinds_of_files(golden):
        output = tmp_path / "output"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        run = tmp_path / "notes"
        for action in actions(golden, output):
            if not run.exists():
                shutil.copytree(golden, run)
                acts, path = actions(run, output), run / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                how(path, outside)
            try:
                found = acts[action]()
            except RunError as error:
                assert SECRET not in str(error), (action, name)
                refused.add((action, name))
            else:
                assert SECRET not in repr(found), (action, name)
            assert everything(outside) == before, (action, name)
            if action in CHANGING:
                shutil.rmtree(run)
        assert not any(SECRET.encode() in content for content in everything(output).values()), name
    assert {"trials", "plan.json", "accepted.json", "calibration.json"} <= {
        name for action, name in refused if action == "pack"
    }
    assert len({name for _, name in refused if name.endswith((PREDICTIONS, RECORD))}) == 2
    assert {"read", "summarise", "show", "log", "status", "reopen", "attempt", "clean"} <= {name for name, _ in refused}


def test_the_run_directory_itself_may_be_a_link(golden, tmp_path):
    (tmp_path / "runs").symlink_to(golden.parent)
    (tmp_path / "run").symlink_to(golden)
    for run in (tmp_path / "runs" / "notes", tmp_path / "run"):
        assert read_record_set(run).records == read_record_set(golden).records


def test_a_temporary_file_that_is_a_link_is_not_written_through(tmp_path):
    (tmp_path / "outside").write_text("kept")
    (tmp_path / f".x.{os.getpid()}").symlink_to(tmp_path / "outside")
    write_whole(tmp_path / "x", "new")
    assert ((tmp_path / "x").read_text(), (tmp_path / "outside").read_text()) == ("new", "kept")


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "a").write_text("a")
    with open_file(tmp_path / "a") as stream:
        assert stream.read() == b"a"
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(RunError, match="link: is a link, and links are not followed here"):
        open_file(tmp_path / "link")
    with pytest.raises(RunError, match="is not a file"):
        open_file(tmp_path)


def test_a_bundle_is_written_only_if_it_can_be_read_back(golden, tmp_path):
    for name, content in (
        (f"{record_paths(golden)[0].relative_to(golden).parent}/{PREDICTIONS}", SECRET),
        (str(record_paths(golden)[0].relative_to(golden)), SECRET),
        *((name, SECRET) for name in EXTRA_FILES),
    ):
        run = tmp_path / "notes"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(golden, run)
        (run / name).write_text(content)
        with pytest.raises(RunError) as caught:
            pack(run, tmp_path / "run.zip")
        assert str(caught.value).startswith(f"{run / name}: "), caught.value
        assert SECRET not in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["notes"]
