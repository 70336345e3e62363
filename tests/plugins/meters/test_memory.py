"""Memory of the host: the process with its children, and the control group's own peak."""

import json
import subprocess
import sys

import pytest

from ftbench_plugins.meters.cgroup import CgroupPeak

MIB = 2**20

CHILDREN = """
import json, subprocess, sys
from ftbench import Watch
from ftbench_plugins.meters.memory import MemoryMeter

meter = MemoryMeter()
meter.start(Watch("cpu", 1))
meter.enter("train")
held = "import sys; b = bytearray(80 * 2**20); b[::4096] = b'x' * len(b[::4096]); del b; print(flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
meter.leave("train")
child.communicate()
print(json.dumps([[m.name, m.value, m.unit, m.reason] for m in meter.stop()]))
"""


def test_children_count_with_their_own_peaks():
    done = subprocess.run([sys.executable, "-c", CHILDREN], capture_output=True, text=True, check=True)
    found = {name: (value, unit, reason) for name, value, unit, reason in json.loads(done.stdout)}
    value, unit, reason = found["peak_host_memory"]
    if value is None:
        pytest.skip(reason)
    assert unit == "B"
    assert 80 * MIB < value < 130 * MIB
    for name in ("peak_allocated_memory", "peak_reserved_memory", "allocator_retries", "allocator_ooms"):
        assert (found[name][0], found[name][2]) == (None, "no device allocator on a CPU")


def group(tmp_path, line, **files):
    own = tmp_path / "cgroup"
    own.write_text(line)
    root = tmp_path / "sys"
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root, own


def test_a_group_whose_peak_rose_in_the_trial_has_it(tmp_path):
    root, own = group(tmp_path, "4:cpu,memory:/box\n0::/\n", **{"memory/box/memory.max_usage_in_bytes": "1000\n"})
    peak = CgroupPeak(root, own)
    (root / "memory/box/memory.max_usage_in_bytes").write_text("5000\n")
    assert (peak.reading.value, peak.reading.unit) == (5000, "B")


def test_a_peak_from_before_the_trial_is_not_the_trials(tmp_path):
    root, own = group(tmp_path, "4:memory:/box\n", **{"memory/memory.max_usage_in_bytes": "1000\n"})
    reading = CgroupPeak(root, own).reading
    assert reading.value is None
    assert "before this trial" in reading.reason
    assert (root / "memory/memory.max_usage_in_bytes").read_text() == "1000\n", (
        "version 1 has one peak for all: it is left alone"
    )


def test_version_two_begins_anew_for_its_reader(tmp_path):
    root, own = group(tmp_path, "0::/box\n", **{"box/memory.peak": "9000\n"})
    peak = CgroupPeak(root, own)
    (root / "box/memory.peak").write_text("3000\n")
    assert peak.reading.value == 3000


def test_no_group_is_a_reason(tmp_path):
    for root, own in ((tmp_path, tmp_path / "nothing"), group(tmp_path, "0::/box\n")):
        assert "no readable memory.peak" in CgroupPeak(root, own).reading.reason
