"""How long an isolated trial takes to begin, against importing what it needs."""

import statistics
import subprocess
import sys
import time

from ftbench.notebook import read_run

from tests.conftest import ROOT


def test_a_trial_begins_at_once_after_the_first(tiny_suite, ftbench, tmp_path):
    suite = tiny_suite(("none",), seeds="[0, 1, 2, 3, 4, 5]", measure="meters = []")
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch, transformers, peft, sklearn.metrics"], cwd=ROOT, check=True)
    imports = time.perf_counter() - begun
    ftbench("run", suite, "--no-report", check=0)
    records = sorted(read_run(tmp_path / "runs" / "tiny"), key=lambda record: record.provenance["started"])
    starts = [next(phase.seconds for phase in record.phases if phase.name == "start") for record in records]
    loads = [next(phase.seconds for phase in record.phases if phase.name == "load") for record in records]
    start, load = statistics.median(starts[1:]), statistics.median(loads[1:])
    print(
        f"\na trial after the first begins in {start:.2f} s (goal 0.2), and has weights and data {load:.2f} s later; imports: {imports:.1f} s"
    )
    assert start < imports / 8
