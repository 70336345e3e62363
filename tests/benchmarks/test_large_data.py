"""A data set larger than memory should be: how long until the first batch, and how much memory it takes."""

import json
import subprocess
import sys
import time

import pytest

GIGABYTES = 2

READ = """
import sys, threading, time
from pathlib import Path

# Memory of its own: pages of files that are mapped are the system's to take back.
peak, reading = [0], True
def watch():
    while reading:
        lines = Path("/proc/self/status").read_text().splitlines()
        peak[0] = max(peak[0], next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()

from ftbench import Plugins
from ftbench.data.encoding import prepare_data
from ftbench.api.loader import Loader
from ftbench.suite import Training

started = time.perf_counter()
catalog = Plugins.discover().catalog()
task = catalog.build("tasks", "text-classification", {"data": sys.argv[1]})
backbone = catalog.build("backbones", "minilm", {})
processor = backbone.load(len(task.classes)).processor
encoded = prepare_data(task, backbone, processor, split_seed=0, cache=Path(sys.argv[2]), options=catalog.options).encoded
print("encoded", round(time.perf_counter() - started, 1), "s", file=sys.stderr)
for seed in (0, 1):
    batches = iter(Loader(encoded["train"], task, Training(epochs=1, batch_size=16), seed=seed))
    print("first batch", next(batches)[0].batch["input_ids"].shape, round(time.perf_counter() - started, 1), "s", file=sys.stderr)
    if seed == 0:
        first = time.perf_counter() - started
print(first, peak[0] * 1024, len(encoded["train"]))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Two gigabytes of JSON lines."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    words = ["alpha", "beta", "gamma", "delta", "and", "the", "of"] * 50
    with path.open("w") as stream:
        number = 0
        while stream.tell() < GIGABYTES * 2**30:
            stream.writelines(
                json.dumps({"text": f"{n} " + " ".join(words[n % 50 :]), "label": ("no", "yes")[n % 2]}) + "\n"
                for n in range(number, number + 5000)
            )
            number += 5000
    return path


@pytest.mark.timeout(590)
def test_two_gigabytes_of_text_take_less_than_one_of_memory(large, tmp_path):
    done = subprocess.run([sys.executable, "-c", READ, large, tmp_path], capture_output=True, text=True, check=True)
    first, peak, rows = map(float, done.stdout.split())
    began = time.perf_counter()
    with large.open() as stream:
        for line in stream:
            json.loads(line)
    plain = time.perf_counter() - began
    print(
        f"\n{rows:.0f} training rows; first batch after {first:.1f} s, {first / plain:.1f} × json.loads of every line (goal 6), "
        f"peak memory {peak / 2**20:.0f} MiB\n{done.stderr}"
    )
    assert peak < 2**30
    assert first < 6 * plain
