"""A thousand trials that do nothing: what the runner itself takes, in time and in memory."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from tests.faults.killing import until, victim
from tests.faults.quick_suite import call, command, start, write

TRIALS = int(os.environ.get("FTBENCH_TRIALS", "1000"))


def seconds(*arguments, cwd):
    started = time.perf_counter()
    subprocess.run(arguments, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - started


def resident(process):
    """Give the bytes of a process that are in memory; what it has to itself alone is another number with each trial it shares them with."""
    return process.memory_info().rss


@pytest.mark.timeout(1500)
def test_a_thousand_trials(tmp_path):
    suite = write(tmp_path, seeds=TRIALS, variants=0)
    run = tmp_path / "runs" / "quick"
    importing = min(seconds(sys.executable, "-c", "import torch, transformers, peft", cwd=tmp_path) for _ in range(2))
    # What every trial finds in the cache is made beforehand.
    call(tmp_path, "run", suite, "--only", "seed 0", "--runs", "warm", "--no-report")

    started = time.perf_counter()
    runner = start(tmp_path, "run", suite, "--no-report")

    def done():
        return sum(1 for _ in run.glob("trials/*/*/record.json")) if (run / "trials").is_dir() else 0

    readings = []
    for mark in (TRIALS // 10, TRIALS * 9 // 10):
        until(lambda mark=mark: runner.poll() is not None or done() >= mark, 1200)
        readings.append((resident(psutil.Process(runner.pid)), resident(victim(runner, "server"))))
    assert runner.wait() == 0
    whole = time.perf_counter() - started

    records = [json.loads(path.read_text()) for path in run.glob("trials/*/*/record.json")]
    assert len(records) == TRIALS
    assert {record["status"] for record in records} == {"ok"}
    own = sum(
        phase["seconds"] for record in records for phase in record["phases"] if phase["name"] not in ("start", "exit")
    )
    scheduling = (whole - own) / TRIALS
    again = min(seconds(*command("run", suite, "--no-report"), cwd=tmp_path) for _ in range(3))
    light = min(seconds(sys.executable, "-c", "import click, numpy, pluggy", cwd=tmp_path) for _ in range(3))
    (runner_then, server_then), (runner_now, server_now) = readings
    print(
        f"\n{TRIALS} trials in {whole:.0f} s: {whole / TRIALS:.3f} s each, {own / TRIALS:.3f} s of them its own, {scheduling:.3f} s for the process,"
        f" the plan and the record\nrunner {runner_then / 2**20:.1f} MiB after a tenth, {runner_now / 2**20:.1f} MiB after nine tenths;"
        f" server {server_then / 2**20:.1f} MiB and {server_now / 2**20:.1f} MiB\n"
        f"the finished suite again: {again:.2f} s, {again / light:.1f} × importing click, numpy and pluggy"
    )
    assert scheduling < importing / 20
    assert runner_now < runner_then * 1.15
    assert server_now < server_then * 1.15
    assert again / light < 12
