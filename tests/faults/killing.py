"""Kill a run's processes at random times, and inspect what the run leaves."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import time
from collections import Counter

import psutil

from tests.faults.quick_suite import call, start

MARK = "FTBENCH_TEST_RUN"
"""An environment variable that all processes of a run inherit."""


def running(mark):
    """List the running processes that inherited a mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def victim(runner, kind):
    """Return the process of a runner, its fork server or a running trial; None if there is none at the moment."""
    try:
        whole = psutil.Process(runner.pid)
        if kind == "runner":
            return whole
        server = next((p for p in whole.children() if "forkserver" in " ".join(p.cmdline())), None)
        if kind == "server" or server is None:
            return server
        return next((p for p in server.children() if os.getsid(p.pid) == p.pid), None)
    except (psutil.Error, ProcessLookupError):
        return None


def until(true, seconds=60):
    """Wait until `true()` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def comparable(run):
    """Return id → record and predictions, without times and attempts."""
    found = {}
    for path in sorted(run.glob("trials/*/*/record.json")):
        record = json.loads(path.read_text())
        for name in ("phases", "attempts", "earlier"):
            record.pop(name, None)
        for name in ("started", "finished"):
            record["provenance"].pop(name)
        for curve in record["curves"]:
            curve["points"].pop("seconds", None)
        record["measurements"] = [m for m in record["measurements"] if m["unit"] != "s"]
        found[record["id"]] = record, gzip.decompress((path.parent / "predictions.jsonl.gz").read_bytes())
    return found


def half_written(run):
    """List the temporary files that atomic writes left."""
    return [
        path
        for path in run.rglob("*")
        if path.name.endswith(".tmp") or (path.name.startswith(".") and path.name != ".lock")
    ]


def soak(folder, kills, seed, mark):
    """Run the suite of a folder repeatedly, in new run directories, until `kills` processes were killed by SIGKILL.

    A third of the kills come within two seconds, wherever the start is; the others wait until a few more trials have
    begun, so that there is something to lose and the run makes progress.

    Args:
        folder: the folder of `quick.toml`.
        kills: the number of kills.
        seed: of the random choice of processes and times.
        mark: the mark of the run's processes.

    Yields:
        Each finished run directory, and how many processes of each kind were killed during that run.
    """
    draw, left, number = random.Random(seed), kills, 0
    while left > 0:
        number += 1
        counts, arguments = Counter(), ("run", "quick.toml", "--runs", f"runs-{number}", "--no-report")
        run = folder / f"runs-{number}" / "quick"
        runner = start(folder, *arguments, env={**os.environ, MARK: mark})
        while True:
            if left > 0 and _at_a_moment(draw, run, runner):
                kind = draw.choices(("trial", "server", "runner"), (2, 1, 1))[0]
                if (found := victim(runner, kind)) is not None:
                    found.kill()
                    counts[kind] += 1
                    left -= 1
                continue
            code = runner.wait()
            if code == 0:
                break
            # Killed, or out of retries: after that many machine failures the user must retry.
            if code == 1:
                call(folder, "retry", run, "--no-report")
            runner = start(folder, *arguments, env={**os.environ, MARK: mark})
        yield run, counts


def _at_a_moment(draw, run, runner):
    """Wait until the next kill; return False if the runner ends first."""
    if draw.random() < 2 / 3:
        wanted = _begun(run) + draw.randint(1, 5)
        while _begun(run) < wanted:
            if runner.poll() is not None:
                return False
            time.sleep(0.02)
        pause = draw.uniform(0, 0.7)
    else:
        pause = draw.uniform(0, 2)
    try:
        runner.wait(pause)
    except subprocess.TimeoutExpired:
        return True
    return False


def _begun(run):
    """Count the attempts that have emitted an event."""
    return sum(1 for _ in run.glob("trials/*/*/attempts/*/events.jsonl"))
