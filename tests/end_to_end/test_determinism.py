"""The same suite gives the same bits on the same machine: whatever the order of its trials, how many run at once, and who was killed."""

import json
import os
import signal
import subprocess
import time
import tomllib

import pytest
import tomli_w

from tests.conftest import EXAMPLES, FTBENCH, ROOT

QUICKSTART = tomllib.loads((ROOT / "suites" / "quickstart.toml").read_text())
WORKERS = {"workers": 2}
"""A second trial at a time."""


def reduced():
    """Give the quickstart with a few steps of a few examples: text and vision, one of their sequences, two strategies."""
    table = {**QUICKSTART, "seeds": [0], "training": {"steps": 5, "batch_size": 8}}
    kept = ("word-sentiment", "digits", "digits-0-4", "digits-5-9")
    sizes = {"train_size": 40, "test_size": 40}
    table["task"] = [
        {k: v for k, v in task.items() if k != "training"} | sizes for task in QUICKSTART["task"] if task["use"] in kept
    ]
    table["backbone"] = [one for one in QUICKSTART["backbone"] if one["use"] != "tiny-wav2vec2"]
    table["sequence"] = [
        {"label": "digits-low-then-high", "tasks": ["digits-0-4", "digits-5-9"], "strategies": ["ewc"]}
    ]
    table["strategy"] = [one for one in QUICKSTART["strategy"] if one.get("label", one["use"]) in ("lora", "ewc")]
    table["measure"] = {"meters": []}
    return table


def written(folder, table, **machine):
    folder.mkdir()
    path = folder / "suite.toml"
    measure = {**table.get("measure", {}), **({"quality_only": True} if "workers" in machine else {})}
    path.write_text(tomli_w.dumps({**table, "measure": measure, "machine": {**table["machine"], **machine}}))
    return path


def results(folder, name):
    """Give answers, scores and the course of training of every trial, by its id."""
    found = {}
    for path in sorted((folder / "runs" / name).glob("trials/*/*/record.json")):
        record = json.loads(path.read_text())
        scores = {(m["task"], m["name"]): m["value"] for m in record["measurements"] if m["scope"] == "test"}
        losses = [[curve["points"][name] for name in ("step", "task_loss")] for curve in record["curves"]]
        answers = path.with_name("predictions.jsonl.gz").read_bytes()
        found[record["id"]] = (record["status"], scores, losses, record["confusion"], record["retention"], answers)
    return found


def run(suite, *options):
    subprocess.run(
        [FTBENCH, *options, "run", suite.name, "--no-report"],
        cwd=suite.parent,
        check=True,
        capture_output=True,
        timeout=3000,
    )


def run_and_kill(suite, records):
    """Run a suite, kill the runner once so many records stand and a trial is under way, and run it again."""
    runner = subprocess.Popen(
        [FTBENCH, "run", suite.name, "--no-report"],
        cwd=suite.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while len(list(suite.parent.glob("runs/*/trials/*/*/record.json"))) < records and runner.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    run(suite)


def holds(table, folder, killed_after):
    """Run a suite as it is; backwards, two trials at a time where that can be; and killed in the middle."""
    run(written(folder / "one", table))
    run(written(folder / "two", table, **WORKERS), "-p", str(EXAMPLES / "backwards.py"))
    run_and_kill(written(folder / "three", table, checkpoint="0.1s"), killed_after)
    first, second, third = (results(folder / name, table["name"]) for name in ("one", "two", "three"))
    assert {status for status, *_ in first.values()} == {"ok"}
    assert first == second
    assert first == third
    return first


@pytest.mark.slow
@pytest.mark.thorough
def test_the_same_suite_gives_the_same_bits_in_any_order_and_after_a_kill(tmp_path):
    assert len(holds(reduced(), tmp_path, killed_after=1)) == 3


@pytest.mark.thorough
@pytest.mark.timeout(7200)
def test_the_whole_quickstart_gives_the_same_bits_in_any_order_and_after_a_kill(tmp_path):
    assert len(holds(QUICKSTART, tmp_path, killed_after=20)) == 81
