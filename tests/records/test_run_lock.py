"""One runner a run directory, on file systems with locks and without."""

import errno
import json
import os
import platform
import threading

import psutil
import pytest
from ftbench import RunError
from ftbench.records import run_lock as module
from ftbench.records.run_lock import NAME, RunLock, is_held


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)


@pytest.fixture
def no_locks(monkeypatch):
    """A file system that has no locks, as some NFS mounts."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)


def left_by(folder, host, pid, since="1.00"):
    (folder / NAME).write_text(json.dumps({"host": host, "pid": pid, "since": since}))


def test_a_claim_names_its_holder_and_gives_the_name_up(tmp_path):
    lock = RunLock(tmp_path / "run")
    assert json.loads((tmp_path / "run" / NAME).read_text())["pid"] == os.getpid()
    assert is_held(tmp_path / "run")
    with pytest.raises(
        RunError, match=rf"another `ftbench run` is writing here \(process {os.getpid()} on {platform.node()}\);"
    ):
        RunLock(tmp_path / "run")
    lock.release()
    assert (tmp_path / "run" / NAME).read_text() == ""
    assert not is_held(tmp_path / "run")
    RunLock(tmp_path / "run").release()


def test_what_a_dead_runner_of_this_machine_left_is_taken_over(tmp_path):
    for since in ("1.00", ""):
        left_by(tmp_path, platform.node(), os.getpid(), since)
        assert not is_held(tmp_path) or since == ""
        RunLock(tmp_path).release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}', "\x00" * 2000])
def test_a_file_that_names_nobody_is_in_nobodys_way(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert not is_held(tmp_path)
    RunLock(tmp_path).release()


def test_without_locks_a_living_holder_is_known_by_its_number_and_its_beginning(tmp_path, no_locks):
    lock = RunLock(tmp_path)
    with pytest.raises(RunError, match="another `ftbench run`"):
        RunLock(tmp_path)
    lock.release()
    # The number was given to another process since.
    left_by(tmp_path, platform.node(), os.getpid(), f"{psutil.Process().create_time() - 60:.2f}")
    RunLock(tmp_path).release()


@pytest.mark.parametrize("locks", [True, False])
def test_a_holder_on_another_machine_lives_as_long_as_it_touches_the_file(tmp_path, locks, request):
    if not locks:
        request.getfixturevalue("no_locks")
    left_by(tmp_path, "elsewhere", 12)
    over = threading.Event()

    def touch():
        while not over.wait(0.02):
            os.utime(tmp_path / NAME)

    holder = threading.Thread(target=touch)
    holder.start()
    try:
        with pytest.raises(RunError, match=r"process 12 on elsewhere"):
            RunLock(tmp_path)
    finally:
        over.set()
        holder.join()
    assert is_held(tmp_path)
    RunLock(tmp_path).release()


def test_a_claim_is_touched_while_it_is_held(tmp_path):
    lock = RunLock(tmp_path)
    os.utime(tmp_path / NAME, (1, 1))
    deadline = threading.Event()
    for _ in range(100):
        if (tmp_path / NAME).stat().st_mtime > 1:
            break
        deadline.wait(0.05)
    assert (tmp_path / NAME).stat().st_mtime > 1
    lock.release()
