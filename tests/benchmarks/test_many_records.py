"""Reports, comparisons and gates of 10,000 records: processor time and memory of each command, in its own process."""

import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from ftbench.records.store import read_record, record_files

from tests.benchmarks.test_page_speed import written
from tests.conftest import FTBENCH
from tests.reports.synthetic import trials

STRATEGIES, SEEDS, TASKS = 20, 50, 10
LOADED = (
    "import json, pathlib, sys\n"
    "for path in pathlib.Path(sys.argv[1]).glob('trials/*/*/record.json'): json.loads(path.read_text())"
)
"""What every reader of the records pays: `json.loads` of each, with one mapping per point as records had it before."""


LAUNCHED = (
    "import json, os, subprocess, sys\n"
    "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "_, status, usage = os.wait4(process.pid, 0)\n"
    "print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))"
)
"""A small process in between: on Linux, a process begins with the peak memory of the one that it is forked from."""


def used(*command, codes=frozenset((0, 1))):
    """Return the processor seconds and the peak MiB of a command; the gate may find something."""
    launcher = subprocess.run(
        [sys.executable, "-c", LAUNCHED, *map(str, command)], check=True, stdout=subprocess.PIPE, text=True
    )
    code, seconds, peak = json.loads(launcher.stdout)
    assert code in codes, command
    return seconds, peak


def noisy(run, target):
    """Leave a run whose scores and times differ a little from those of another one."""
    draw = random.Random(0)
    for path in record_files(run):
        record = read_record(path)
        changed = tuple(
            replace(m, value=min(m.value * (1 + draw.gauss(0, 0.005)), 1.0)) if m.scope == "test" and m.value else m
            for m in record.measurements
        )
        place = target / path.relative_to(run)
        place.parent.mkdir(parents=True)
        place.write_text(replace(record, measurements=changed).to_json())
    shutil.copy(run / "plan.json", target)
    return target


def former(run, target):
    """Leave the records of a run in the form with a mapping per point."""
    for path in record_files(run):
        record = read_record(path)
        place = target / path.relative_to(run)
        place.parent.mkdir(parents=True)
        table = {**json.loads(record.to_json()), "curves": [curve.to_rows() for curve in record.curves]}
        place.write_text(json.dumps(table, indent=1))
    shutil.copy(run / "plan.json", target)
    return target


@pytest.mark.timeout(900)
def test_ten_thousand_records(tmp_path):
    run = written(tmp_path / "run", trials(STRATEGIES, SEEDS, TASKS))
    other, old = noisy(run, tmp_path / "other"), former(run, tmp_path / "old")
    commands = {
        "report": ("report", run, "-f", "html", "-o", tmp_path / "page"),
        "report, a mapping per point": ("report", old, "-f", "html", "-o", tmp_path / "page"),
        "compare": ("compare", run, other, "-o", tmp_path / "comparison.md"),
        "gate": ("gate", other, "--baseline", run),
    }
    found, (before, _) = {}, used(sys.executable, "-c", LOADED, old)
    for name, command in commands.items():
        seconds, peak = used(FTBENCH, *command)
        after, _ = used(sys.executable, "-c", LOADED, old)
        # Other work on the machine slows all three alike.
        found[name] = (seconds / ((before + after) / 2), seconds, peak)
        before = after
    lines = (
        f"{name}: {seconds:.1f} s of processor time, {ratio:.2f} × json.loads, {peak:.0f} MiB"
        for name, (ratio, seconds, peak) in found.items()
    )
    print("", f"{STRATEGIES * SEEDS * TASKS:,} records", *lines, sep="\n")
    assert max(found[name][2] for name in commands if name.startswith("report")) < 300
    assert found["report"][0] < 2.5
    assert found["compare"][0] < 4
    assert found["gate"][0] < 4
