"""Full and read-only disks: committed records stay, one line names the error, and the run can be resumed."""

import os
import subprocess

import pytest

from tests.faults.quick_suite import PLUGIN, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


@pytest.fixture
def disk(tmp_path):
    """A separate file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def records(disk):
    return {path.parts[-3]: path.read_bytes() for path in disk.glob("quick/trials/*/*/record.json")}


def fill(disk, leave):
    """Fill the disk, except for `leave` bytes."""
    with (disk / "filler").open("wb", buffering=0) as stream:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        stream.write(b"x" * (free - leave))


def test_a_full_disk_loses_no_result_and_a_read_only_one_is_read(tmp_path, disk, inside):
    suite = write(tmp_path, variants=3)
    arguments = ("-p", PLUGIN, "run", suite, "--runs", disk)
    inside(*arguments, "--only", "v0", check=0)
    before = records(disk)
    assert len(before) == 1

    # Enough to start a trial, too little for its results.
    fill(disk, 16384)
    full = inside(*arguments)
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stdout + full.stderr
    assert [line for line in full.stderr.splitlines() if line.startswith("error:")] == [
        (
            f"error: {disk / 'quick'}: can no longer be written: No space left on device; "
            "finished trials are kept, run again to resume"
        )
    ]
    assert before.items() <= records(disk).items()

    (disk / "filler").unlink()
    inside(*arguments, check=0)
    assert len(records(disk)) == 3
    assert before.items() <= records(disk).items()
    assert not [path for path in disk.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".record")]

    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "nothing to do: 3 of 3" in inside(*arguments, check=0).stdout
    write(tmp_path, variants=4)
    refused = inside(*arguments, check=2)
    assert refused.stderr.splitlines()[-1] == f"error: {disk / 'quick'}: cannot be written: Read-only file system"
