"""The run directory: whole files or none, one writer, plans."""

import json
import os
import stat
from dataclasses import replace

import pytest
from ftbench import Record, RunError
from ftbench.files import write_whole
from ftbench.records.store import Store, find_records, read_record, record_files

from tests.support.made_runs import TRIAL

RECORD = Record("a1", "c1", "e1", TRIAL, "ok", "accuracy")


def test_a_result_exists_when_its_record_does(tmp_path):
    store = Store(tmp_path / "run")
    attempt = store.new_attempt("a1", "e1")
    (attempt / "predictions.jsonl.gz").write_bytes(b"x")
    assert store.status("a1", "e1") is None
    store.commit(RECORD, attempt / "predictions.jsonl.gz")
    assert store.status("a1", "e1") == "ok"
    assert store.record("a1", "e1") == RECORD
    assert (store.trial_folder("a1", "e1") / "predictions.jsonl.gz").read_bytes() == b"x"
    assert store.status("a1", "elsewhere") is None


def test_attempts_are_counted_and_kept(tmp_path):
    store = Store(tmp_path)
    assert [store.new_attempt("a", "e").name for _ in range(3)] == ["1", "2", "3"]
    assert store.attempts("a", "e") == 3


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_whole(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, "new")
    assert path.read_text() == "old"


def test_only_records_of_the_last_plan_are_read(tmp_path):
    store = Store(tmp_path)
    for name in ("a1", "b2", "c3"):
        store.commit(Record(name, "c", "e1", TRIAL, "ok", "x"))
    assert len(record_files(tmp_path)) == 3
    store.lock_suite({"name": "x"}, {name: ("t", "b", name, 0) for name in ("c3", "a1", "z9")}, "e1")
    assert [path.parts[-3] for path in record_files(tmp_path)] == ["c3", "a1"]


def test_what_is_no_run_or_no_record_is_one_line(tmp_path):
    with pytest.raises(RunError, match="not a run directory"):
        record_files(tmp_path)
    store = Store(tmp_path)
    store.commit(RECORD)
    path = store.trial_folder("a1", "e1") / "record.json"
    for broken in ("", "{", "[]", '{"schema": "ftbench.record/1"}', "\xff"):
        path.write_text(broken, encoding="latin-1")
        with pytest.raises(RunError) as caught:
            read_record(path)
        assert len(caught.value.mistakes) == 1
    path.write_text("{")
    with pytest.raises(RunError, match="move it elsewhere to run the trial again"):
        store.status("a1", "e1")
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(RunError, match="not a plan"):
        record_files(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    if os.geteuid() == 0:
        blocked = tmp_path / "file"
        blocked.write_text("in the way")
        with pytest.raises(RunError, match="cannot be written"):
            Store(blocked / "run").claim()
        return
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(RunError, match="cannot be written"):
        Store(tmp_path / "run").claim()


def test_two_claims_on_one_folder_are_told_apart(tmp_path):
    first, second = Store(tmp_path), Store(tmp_path)
    first.claim()
    with pytest.raises(RunError, match="another `ftbench run`"):
        second.claim()
    first.release()
    second.claim()
    second.release()


def test_the_lock_file_is_toml(tmp_path):
    import tomllib

    store = Store(tmp_path)
    store.lock_suite({"name": "x", "seeds": [0]}, {"a": ("t", "b", "s", 0)}, "e")
    assert tomllib.loads((tmp_path / "suite.lock.toml").read_text()) == {
        "schema": "ftbench.lock/1",
        "name": "x",
        "seeds": [0],
    }
    assert json.loads((tmp_path / "plan.json").read_text()) == {
        "schema": "ftbench.plan/1",
        "environment": "e",
        "trials": ["a"],
        "places": [["t", "b", "s", 0]],
    }


def test_the_records_of_a_trial_are_found_by_the_beginning_of_its_id(tmp_path):
    store = Store(tmp_path / "run")
    for identity, environment in (("ab1", "e1"), ("ab1", "e2"), ("ab2", "e1")):
        store.new_attempt(identity, environment)
        store.commit(replace(RECORD, id=identity, environment=environment), None)
    found = find_records(tmp_path / "run", "ab1")
    assert sorted(path.parent.name for path in found) == ["e1", "e2"]
    with pytest.raises(RunError, match="2 ids begin with 'ab'; give more digits"):
        find_records(tmp_path / "run", "ab")
    with pytest.raises(RunError, match="no record has an id that begins with 'run'"):
        find_records(tmp_path / "run", "run")
