"""One suite with a trial for every way to end: each gets its own status, and the other trials are not affected."""

from itertools import pairwise

import psutil
import pytest
from ftbench.notebook import read_run
from ftbench.records.trial_log import LIMIT

from tests.conftest import EXAMPLES
from tests.faults.quick_suite import SUITE, call

ENDINGS = {
    "raise": ("error", "RuntimeError", "the strategy raised"),
    "exit": ("error", "ProcessDied", "exited with code 7"),
    "exit-zero": ("error", "ProcessDied", "exited with code 0 without writing an outcome"),
    "sys-exit-zero": ("error", "ProcessDied", "exited with code 0 without writing an outcome"),
    "nan": ("diverged", "Diverged", "the loss is nan at step 1"),
    "segfault": ("error", "SIGSEGV", "killed by SIGSEGV"),
    "abort": ("error", "SIGABRT", "killed by SIGABRT"),
    "escape-and-die": ("error", "SIGSEGV", "killed by SIGSEGV"),
    "killed": ("infra", "SIGKILL", "killed from outside by SIGKILL"),
    "disk": ("infra", "DiskFull", "No space left on device"),
    "memory": ("oom", "HostOutOfMemory", "no memory left"),
    "address-space": ("oom", "HostOutOfMemory", ""),
    "tensors": ("oom", "HostOutOfMemory", "can't allocate memory"),
    "pieces": ("oom", "HostOutOfMemory", ""),
    "hang": ("timeout", "Timeout", "no sign of life for limits.no_progress = 5s"),
    "deaf": ("timeout", "Timeout", "no sign of life for limits.no_progress = 5s"),
    "leak": ("ok", None, None),
    "escape": ("ok", None, None),
    "flood": ("ok", None, None),
    "clock": ("ok", None, None),
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of one trial each, between two good ones; its output; and the processes it left running."""
    folder = tmp_path_factory.mktemp("misbehaving")
    entries = "".join(f'[[strategy]]\nuse = "misbehaving"\nlabel = "{how}"\nhow = "{how}"\n' for how in ENDINGS)
    strategies = (
        f'[[strategy]]\nuse = "everything"\nlabel = "first"\n{entries}[[strategy]]\nuse = "full"\nlabel = "last"\n'
    )
    text = SUITE.format(seeds=[0], steps=6, retries=1, strategies=strategies)
    (folder / "quick.toml").write_text(text.replace("[limits]", '[limits]\ntrial = "2m"\nno_progress = "5s"'))
    before = {process.pid for process in psutil.process_iter()}
    done = call(folder, "-p", EXAMPLES / "misbehaving.py", "run", "quick.toml")
    left = [
        p
        for p in psutil.process_iter(["cmdline"])
        if p.pid not in before and "time.sleep(600)" in " ".join(p.info["cmdline"] or [])
    ]
    return folder / "runs" / "quick", done, left


@pytest.fixture(scope="module")
def records(run):
    return {record.trial["strategy"]["label"]: record for record in read_run(run[0])}


@pytest.mark.parametrize("how", ENDINGS)
def test_each_way_to_end_is_called_what_it_is(records, how):
    status, kind, message = ENDINGS[how]
    record = records[how]
    assert record.status == status, record.failure
    if kind is not None:
        assert record.failure.kind == kind
        assert message in record.failure.message
        assert record.measurement("accuracy") is None
    assert record.measurement("wall_time").value > 0


def test_neighbours_finish_and_the_exit_code_says_that_some_failed(run, records):
    assert run[1].returncode == 1
    assert records["first"].status == records["last"].status == "ok"
    assert "Traceback" not in run[1].stderr


def test_only_what_the_machine_did_is_tried_again_and_every_attempt_is_kept(run, records):
    for how, record in records.items():
        again = how in ("killed", "disk")
        assert record.attempts == (2 if again else 1), how
        assert [(one.number, one.status, one.kind) for one in record.earlier] == (
            [(1, "infra", record.failure.kind)] if again else []
        )
        folder = run[0] / "trials" / record.id / record.environment / "attempts"
        assert sorted(path.name for path in folder.iterdir()) == [str(n + 1) for n in range(record.attempts)]
    assert run[1].stderr.count("retrying") == 2


def test_no_process_is_left_in_a_trials_group_or_out_of_it(run):
    assert not run[2]


def test_a_gigabyte_of_output_is_kept_by_its_beginning_and_its_end(run, records):
    record = records["flood"]
    log = run[0] / "trials" / record.id / record.environment / "attempts" / "1" / "output.log"
    assert log.stat().st_size < LIMIT + 1000
    text = log.read_bytes()
    before = text.index(b"x" * 1000)
    assert before < 1000, "what the core says comes first"
    assert text.count(b"bytes are left out here") == 1
    assert text.endswith(b"the last line\n")
    left_out = int(text.partition(b"\n[... ")[2].partition(b" ")[0])
    note = len(f"\n[... {left_out} bytes are left out here ...]\n")
    assert left_out + len(text) - note - before == 6 * ((2**30 // 6 // 2**20 + 1) * 2**20 + len("the last line\n")), (
        "not a byte is lost without being counted"
    )


def test_a_clock_that_jumps_moves_no_duration(records):
    record = records["clock"]
    assert all(phase.seconds >= 0 for phase in record.phases)
    assert sum(phase.seconds for phase in record.phases) == pytest.approx(
        record.measurement("wall_time").value, rel=0.05
    )
    assert all(one["seconds"] <= other["seconds"] for one, other in pairwise(record.curves[0].points))


def test_the_page_shows_every_failure_and_every_attempt(run, records):
    page = (run[0] / "report.html").read_text()
    for record in records.values():
        if record.failure is not None:
            assert record.failure.message.split("\n")[0][:40].replace("'", "&#39;") in page
    assert "2 (1 machine failed: killed from outside by SIGKILL)" in page
    assert "misbehaving.py" in records["raise"].failure.traceback
