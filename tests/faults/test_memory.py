"""If the kernel kills a trial at a control group's memory limit, the trial ran out of memory, and the others finish."""

import os
import subprocess
from pathlib import Path

import pytest
from ftbench.notebook import read_run

from tests.conftest import EXAMPLES
from tests.faults.killing import until
from tests.faults.quick_suite import command, write

ROOT = Path("/sys/fs/cgroup")
LIMIT = 1_600_000_000
"""Bytes: enough for the runner and its fork server, not for a trial that allocates 3 GB."""


@pytest.fixture
def group():
    """A control group below this process's own, with a memory limit; processes join it by their process id."""
    own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    first = "memory" in own
    place = (
        (ROOT / "memory" if first else ROOT)
        / own["memory" if first else ""].lstrip("/")
        / f"ftbench-test-{os.getpid()}"
    )
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this machine does not allow control groups to be created")
    try:
        (place / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(LIMIT))
        if not first:
            (place / "memory.swap.max").write_text("0")
        yield place
    except OSError as error:
        pytest.skip(f"control groups have no memory limit on this machine: {error}")
    finally:
        until(lambda: not (place / "cgroup.procs").read_text(), 20)
        place.rmdir()


@pytest.mark.thorough
def test_a_trial_that_the_kernel_kills_at_the_groups_limit_ran_out_of_memory(tmp_path, group):
    suite = write(tmp_path)
    suite.write_text(
        suite.read_text() + '[[strategy]]\nuse = "misbehaving"\nhow = "balloon"\n[[strategy]]\nuse = "full"\n'
    )
    inside = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    arguments = command("-p", EXAMPLES / "misbehaving.py", "run", suite)
    done = subprocess.run(
        ["sh", "-c", inside, "sh", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 1, done.stderr
    found = {record.trial["strategy"]["label"]: record for record in read_run(tmp_path / "runs" / "quick")}
    assert {label: record.status for label, record in found.items()} == {"v0": "ok", "misbehaving": "oom", "full": "ok"}
    failure = found["misbehaving"].failure
    assert failure.kind == "ControlGroupOutOfMemory"
    assert failure.message == "killed by the kernel: the memory limit of the control group was reached"
    assert found["misbehaving"].attempts == 1, "out of memory is a result, and is not tried again"
    assert failure.message in (tmp_path / "runs" / "quick" / "report.html").read_text()
