"""A small grid, `ftbench run` against one plain script of Trainer and peft a trial: the same scores, and how much sooner.

The cache is empty at the beginning of each grid: what is shared in it is made in it.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import pytest
from ftbench.notebook import read_run
from ftbench.stats import estimate

from tests.conftest import FTBENCH, ROOT

PAIRS = int(os.environ.get("FTBENCH_BENCHMARK_PAIRS", "5"))
SEEDS = (0, 1)
RATES = {"full": 1e-4, "lora": 1e-3, "frozen": 2e-3}
EPOCHS = 3
SUITE = """
name = "grid"
seeds = [0, 1]
profile = "smoke"
[training]
epochs = 3
batch_size = 16
validations = 0
[machine]
threads = 1
[measure]
meters = ["parameters", "time", "memory"]
[[backbone]]
use = "minilm"
[[task]]
use = "word-sentiment"
train_size = 240
test_size = 500
"""
QUICKSTART = 81
"""Trials that share one start of the command."""
WORK = {"train", "warm-up", "evaluate", "features"}


@pytest.fixture(scope="module")
def words(catalog):
    splits = catalog.build("tasks", "word-sentiment", {"train_size": 240, "test_size": 500}).splits(0)
    train, test = (([e.value for e in part], [e.label for e in part]) for part in (splits.train, splits.test))
    return {
        "folder": str(catalog.build("backbones", "minilm", {}).folder()),
        "train": train,
        "test": test,
        "epochs": EPOCHS,
    }


def ours(folder):
    """Run the grid; gives its seconds, and the records."""
    folder.mkdir()
    (folder / "grid.toml").write_text(
        SUITE + "".join(f'[[strategy]]\nuse = "{use}"\nlr = {lr}\n' for use, lr in RATES.items())
    )
    begun = time.perf_counter()
    subprocess.run(
        [FTBENCH, "run", "grid.toml", "--no-report"],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, "FTBENCH_CACHE": str(folder / "cache")},
    )
    return time.perf_counter() - begun, read_run(folder / "runs" / "grid")


def plain(words, strategy, seed):
    """Run one plain script; gives its seconds and the accuracy."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.plain_trial"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        input=json.dumps({**words, "strategy": strategy, "seed": seed, "lr": RATES[strategy]}),
    )
    return time.perf_counter() - begun, float(done.stdout.splitlines()[-1])


@pytest.mark.timeout(1800)
def test_a_grid_is_done_sooner_than_by_plain_scripts(words, tmp_path):
    whole, heads, overheads, starts = [], [], [], []
    scores = {use: ([], []) for use in RATES}
    for pair in range(PAIRS):
        seconds, records = ours(tmp_path / str(pair))
        theirs = {(use, seed): plain(words, use, seed) for use in RATES for seed in SEEDS}
        whole.append(sum(took for took, _ in theirs.values()) / seconds)
        own = [r.measurement("wall_time").value for r in records if r.trial["strategy"]["use"] == "frozen"]
        heads.append(sum(took for (use, _), (took, _) in theirs.items() if use == "frozen") / sum(own))
        phases = [phase for r in records for phase in r.phases]
        overheads.append(sum(phase.seconds for phase in phases if phase.name not in WORK) / len(records))
        starts.append(seconds - sum(phase.seconds for phase in phases))
        for use in RATES:
            scores[use][0].extend(r.measurement("accuracy").value for r in records if r.trial["strategy"]["use"] == use)
            scores[use][1].extend(theirs[use, seed][1] for seed in SEEDS)
    ratio, head, overhead, start = map(statistics.median, (whole, heads, overheads, starts))
    print(f"\ngrid against plain scripts: {ratio:.2f} (goal 1.5); its head-only part: {head:.2f} (goal 5)")
    print(
        f"beside training and scoring: {overhead:.2f} s a trial, and {start:.1f} s for the command, imports and plan included:"
    )
    print(f"{overhead + start / QUICKSTART:.2f} s a trial of a grid as large as the quickstart (goal 0.5)")
    for use, (one, other) in scores.items():
        print(f"accuracy of {use}: {statistics.mean(one):.3f}, of the plain script {statistics.mean(other):.3f}")
        if PAIRS > 1:
            assert abs(statistics.mean(one) - statistics.mean(other)) < 0.04, use
    assert estimate(whole).mean > 1
    assert head > ratio
