"""What is printed is kept, its beginning and its end where it is much, and nobody who prints is held up."""

import multiprocessing
import os
from pathlib import Path

import pytest
from ftbench import RunError
from ftbench.records import trial_log as module
from ftbench.records.trial_log import Output, end_of, printed


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Print some chunks; gives what is kept."""

    def keep(*chunks, limit=1000, beginning=100, end=200):
        for name, value in (("LIMIT", limit), ("BEGINNING", beginning), ("END", end), ("_CHUNK", 64)):
            monkeypatch.setattr(module, name, value)
        reader, writer = multiprocessing.Pipe(duplex=False)
        output = Output(reader, tmp_path / "output.log")
        for chunk in chunks:
            os.write(writer.fileno(), chunk)
        writer.close()
        output.close()
        return (tmp_path / "output.log").read_bytes()

    return keep


def test_a_little_is_kept_whole(kept):
    assert kept(b"one\n", b"two\n") == b"one\ntwo\n"
    assert kept() == b""


@pytest.mark.parametrize("size", [1001, 5000, 99_999])
def test_of_much_the_beginning_and_the_end_are_kept_and_the_rest_is_counted(kept, size):
    printed = b"".join(b"%09d\n" % number for number in range(size // 10 + 1))
    found = kept(*(printed[at : at + 50] for at in range(0, len(printed), 50)))
    beginning, note, end = found.partition(b"\n[... ")
    count, _, end = end.partition(b" bytes are left out here ...]\n")
    assert note
    assert printed.startswith(beginning)
    assert printed.endswith(end)
    assert len(beginning) == 100
    assert len(end) >= 200
    assert int(count) == len(printed) - len(beginning) - len(end)
    assert len(found) <= 1000


def test_a_full_disk_loses_output_and_holds_nobody_up(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    (tmp_path / "output.log").symlink_to("/dev/full")
    reader, writer = multiprocessing.Pipe(duplex=False)
    output = Output(reader, tmp_path / "output.log")
    for _ in range(100):
        os.write(writer.fileno(), b"x" * 60_000)
    writer.close()
    output.close()


def test_who_holds_the_pipe_when_the_trial_has_ended_is_not_waited_for(tmp_path):
    reader, writer = multiprocessing.Pipe(duplex=False)
    output = Output(reader, tmp_path / "output.log")
    os.write(writer.fileno(), b"before the end")
    output.close()
    assert (tmp_path / "output.log").read_bytes() == b"before the end"
    writer.close()


def test_the_end_of_a_log_is_read_however_long_it_is(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff" * 10 + b"x" * 10_000 + "ü".encode())
    assert end_of(tmp_path / "log", 5) == "xxxü"
    assert end_of(tmp_path / "none") == ""


def test_following_an_attempt_that_was_killed_ends_and_what_it_printed_is_given(tmp_path):
    trial = tmp_path / "run" / "trials" / "a1" / "e1"
    for number, text in ((1, b"first\n"), (2, b"second\n")):
        (trial / "attempts" / str(number)).mkdir(parents=True)
        (trial / "attempts" / str(number) / module.PRINTED).write_bytes(text)
    # Nobody holds the run, and the attempt left neither a record nor the mark of its end.
    assert b"".join(printed(trial, follow=True)) == b"second\n"
    assert b"".join(printed(trial)) == b"second\n"
    assert b"".join(printed(trial, 1)) == b"first\n"
    with pytest.raises(RunError, match="there is no attempt 3; the last is 2"):
        next(printed(trial, 3))
