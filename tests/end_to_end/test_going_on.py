"""Going on with a run: a choice of its trials, shares on several machines, failures once more, logs, leftovers."""

import json
import shutil
import threading

import pytest
from ftbench import RunError
from ftbench.notebook import read_run
from ftbench.records.cleanup import find_orphans
from ftbench.records.record import Attempt
from ftbench.records.store import Store
from ftbench.records.trial_log import find_trial, printed

from tests.conftest import EXAMPLES
from tests.faults.killing import until
from tests.faults.quick_suite import PLUGIN, write

MISBEHAVING = EXAMPLES / "misbehaving.py"


PLUGINS = ("-p", PLUGIN, "-p", MISBEHAVING)


def statuses(run):
    return {(r.trial["strategy"]["label"], r.trial["seed"]): r.status for r in read_run(run)}


def test_a_choice_is_run_and_the_rest_is_neither_missing_nor_failed(inside, tmp_path):
    suite = write(tmp_path, seeds=2, variants=2)
    run = tmp_path / "runs" / "quick"
    inside(*PLUGINS, "run", suite, "--only", "v0", "--exclude", "seed 1", check=0)
    assert statuses(run) == {("v0", 0): "ok"}
    assert len(json.loads((run / "plan.json").read_text())["trials"]) == 4
    assert (
        "nothing to do: 1 of 1 trials are done"
        in inside(*PLUGINS, "run", suite, "--only", "v0 · seed 0", check=0).stdout
    )
    assert "error: --only v9: matches no trial" in inside(*PLUGINS, "run", suite, "--only", "v9", check=2).stderr
    inside(*PLUGINS, "run", suite, check=0)
    assert set(statuses(run)) == {(v, s) for v in ("v0", "v1") for s in (0, 1)}


def test_shares_run_elsewhere_are_one_run_when_they_are_copied_together(inside, tmp_path):
    suite = write(tmp_path, seeds=2, variants=2)
    for number in (1, 2):
        inside(*PLUGINS, "run", suite, "--shard", f"{number}/2", "--runs", f"machine-{number}", "--no-report", check=0)
    one, other = tmp_path / "machine-1" / "quick", tmp_path / "machine-2" / "quick"
    assert len(statuses(one)) == len(statuses(other)) == 2
    shutil.copytree(other / "trials", one / "trials", dirs_exist_ok=True)
    assert (
        "report: machine-1/quick/report.html" in inside(*PLUGINS, "run", suite, "--runs", "machine-1", check=0).stdout
    )
    assert len(statuses(one)) == 4
    assert "nothing to do: 4 of 4" in inside(*PLUGINS, "run", suite, "--runs", "machine-1", check=0).stdout


def failing(tmp_path):
    """A suite one of whose trials fails."""
    suite = write(tmp_path)
    suite.write_text(suite.read_text() + '[[strategy]]\nuse = "misbehaving"\nhow = "raise"\n')
    return suite


def test_a_failed_trial_is_run_once_more_on_demand_alone_and_what_was_is_kept(inside, tmp_path):
    suite, run = failing(tmp_path), tmp_path / "runs" / "quick"
    inside(*PLUGINS, "run", suite, check=1)
    fine = next(record for record in read_run(run) if record.status == "ok")
    assert "1 of them failed" in inside(*PLUGINS, "run", suite, check=1).stdout
    assert (
        "nothing to do: no trial of the suite has failed"
        in inside(*PLUGINS, "retry", run, "--only", "v0", check=0).stdout
    )

    inside(*PLUGINS, "retry", run, check=1)
    records = {record.status: record for record in read_run(run)}
    failed = records["error"]
    assert records["ok"] == fine
    assert failed.attempts == 2
    assert [(a.number, a.status, a.kind, a.message) for a in failed.earlier] == [
        (1, "error", "RuntimeError", "the strategy raised")
    ]
    assert failed.earlier[0].seconds > 0
    folder = run / "trials" / failed.id / failed.environment / "attempts"
    assert json.loads((folder / "1" / "record.json").read_text())["attempts"] == 1
    assert "2 (1 failed: the strategy raised)" in (run / "report.html").read_text()
    assert "attempt 1: error, RuntimeError: the strategy raised" in inside("show", run, failed.id, check=0).stdout

    said = inside("gc", run, "--attempts", "--dry-run", check=0).stdout
    assert "would remove" in said
    assert "1 orphaned files" in said
    assert (folder / "1").exists()
    inside("gc", run, "--attempts", check=0)
    assert [path.name for path in folder.iterdir()] == ["2"]
    assert next(r for r in read_run(run) if r.status == "error").earlier == failed.earlier


def test_what_another_runner_did_before_the_claim_is_not_done_again(tmp_path, monkeypatch):
    from ftbench import Plugins
    from ftbench.plugins import Selection
    from ftbench.runner.runner import run_suite
    from ftbench.suite.parser import read_suite

    selection = Selection((str(PLUGIN),))
    plugins = Plugins.discover(selection)
    suite = read_suite(write(tmp_path), plugins.catalog())
    claim, outcomes = Store.claim, []

    def late(store):
        monkeypatch.setattr(Store, "claim", claim)
        outcomes.append(run_suite(suite, plugins, selection, tmp_path / "runs"))
        claim(store)

    monkeypatch.setattr(Store, "claim", late)
    outcomes.append(run_suite(suite, plugins, selection, tmp_path / "runs"))
    assert [one.ran for one in outcomes] == [1, 0]
    assert outcomes[0].statuses == outcomes[1].statuses


def test_what_is_no_run_or_has_another_name_is_one_line(inside, tmp_path):
    for command in ("retry", "gc"):
        assert "not a run directory" in inside(command, tmp_path, check=2).stderr
    assert not (tmp_path / ".lock").exists()
    assert "no trial has been started here" in inside("logs", tmp_path, "a", check=2).stderr
    store = Store(tmp_path / "other")
    store.folder.mkdir()
    store.lock_suite({"name": "quick", "seeds": [0], "backbones": [], "tasks": [], "strategies": []}, {}, "e")
    assert "contains the suite 'quick'; rename the folder back" in inside("retry", store.folder, check=2).stderr
    (store.folder / "suite.lock.toml").write_text("name = 7\n")
    assert "suite.lock.toml: name: " in inside("retry", store.folder, check=2).stderr


@pytest.fixture
def killed(tmp_path):
    """A run directory as runners that were killed leave one."""
    store = Store(tmp_path / "run")
    store.folder.mkdir()
    store.lock_suite({"name": "run"}, {"done": ("t", "b", "s", 0), "open": ("t", "b", "s", 1)}, "e")
    for trial in ("done", "open", "gone"):
        for number in (1, 2):
            folder = store.new_attempt(trial, "e")
            (folder / "events.jsonl").write_text("{}\n")
            (folder / "outcome.json.tmp").write_text("{")
            if number == 1 and trial == "done":
                store.note_attempt("done", "e", Attempt(1, "infra", "SIGKILL", "killed from outside by SIGKILL", 1.5))
    store.new_attempt("done", "e")
    record = {"schema": "ftbench.record/1", "id": "done", "attempts": 3, "status": "ok"}
    (store.trial_folder("done", "e") / "record.json").write_text(json.dumps(record))
    (store.folder / ".plan.json.4194305").write_text("{")
    (store.folder / ".report.4194305").mkdir()
    return store.folder


def found(run, **options):
    return {(str(one.path.relative_to(run)), one.why) for one in find_orphans(run, **options)}


def test_leftovers_are_what_nothing_needs(killed):
    half = {(".plan.json.4194305", "half-written"), (".report.4194305", "half-written")}
    # The last attempts: those before were tidied when these began.
    half |= {(f"trials/{trial}/e/attempts/2/outcome.json.tmp", "half-written") for trial in ("open", "gone")}
    dead = {("trials/done/e/attempts/2", "an attempt whose runner was killed")}
    assert found(killed) == half | dead
    noted = {("trials/done/e/attempts/1", "an earlier attempt")}
    assert found(killed, attempts=True) == half | dead | noted
    gone = {("trials/gone", "no longer planned")}
    assert (
        found(killed, unplanned=True)
        == half - {("trials/gone/e/attempts/2/outcome.json.tmp", "half-written")} | dead | gone
    )


def test_gc_leaves_nothing_of_it_and_nothing_else_out(killed, inside):
    before = {path for path in killed.rglob("*") if path.is_file()}
    assert "trials/done/e/attempts/2" in inside("gc", killed, check=0).stdout
    assert not found(killed)
    lost = before - {path for path in killed.rglob("*") if path.is_file()}
    assert {path.name for path in lost} == {"outcome.json.tmp", "events.jsonl", ".plan.json.4194305"}
    assert Store(killed).earlier("done", "e")[0] == Attempt(
        1, "infra", "SIGKILL", "killed from outside by SIGKILL", 1.5
    )


def test_an_attempt_whose_runner_was_killed_is_told_of(killed):
    first, second = Store(killed).earlier("done", "e")
    assert (first.kind, first.seconds) == ("SIGKILL", 1.5)
    assert (second.number, second.status, second.kind, second.seconds) == (2, "infra", "RunnerGone", None)


def test_a_trial_is_named_by_its_id_or_by_what_only_its_name_has(inside, tmp_path):
    run = tmp_path / "runs" / "quick"
    inside(*PLUGINS, "run", write(tmp_path, variants=2), "--no-report", check=0)
    record = next(record for record in read_run(run) if record.trial["strategy"]["label"] == "v1")
    assert find_trial(run, record.id[:5]) == find_trial(run, "v1") == run / "trials" / record.id / record.environment
    with pytest.raises(RunError, match="'seed 0' matches 2 trials: "):
        find_trial(run, "seed 0")
    with pytest.raises(RunError, match="no started trial has an id that begins with 'v7' or a name that contains it"):
        find_trial(run, "v7")
    assert "there is no attempt 4; the last is 1" in inside("logs", run, "v1", "--attempt", "4", check=2).stderr


def test_what_is_printed_is_followed_until_the_trial_has_ended(tmp_path):
    """A trial and its runner, as they write."""
    store = Store(tmp_path / "run")
    store.claim()
    first = store.new_attempt("a", "e")
    read = []

    def follow():
        read.extend(printed(store.trial_folder("a", "e"), follow=True))

    reader = threading.Thread(target=follow)
    reader.start()
    with (first / "output.log").open("ab", buffering=0) as log:
        for word in (b"one ", b"two "):
            log.write(word)
            until(lambda word=word: b"".join(read).endswith(word), 20)
    assert b"".join(read) == b"one two "
    assert reader.is_alive()
    store.note_attempt("a", "e", Attempt(1, "infra", "SIGKILL", "killed"))
    second = store.new_attempt("a", "e")
    (second / "output.log").write_bytes(b"three")
    until(lambda: b"".join(read) == b"one two three", 20)
    store.release()
    reader.join(5)
    assert not reader.is_alive(), "nobody is writing any more"
    assert b"".join(printed(store.trial_folder("a", "e"), 1)) == b"one two "
