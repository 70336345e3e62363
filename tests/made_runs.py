"""Runs made from a real one: its records as they would be had something else been the case."""

from __future__ import annotations

import json
import shutil

_PART = {"use": "x", "label": "x", "options": {}, "fingerprint": {}}
TRIAL = {
    "suite": "s", "target": "t", "modality": "vision", "backbone": _PART, "stages": [{"task": _PART, "training": {"lr": 0.001}}], "strategy": _PART,
    "seed": 0, "split_seed": 0, "device": "cpu", "threads": 1, "code": "c",
}  # fmt: skip
"""A trial as far as every record has one."""


def copied(run, folder):
    """Copy a run directory."""
    shutil.copytree(run, folder)
    return folder


def record_paths(run):
    return sorted(run.glob("trials/*/*/record.json"))


def rewrite(run, change, *, where=lambda record: True):
    """Let `change` alter the records that are meant, in place; gives the run."""
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if where(record):
            change(record)
            path.write_text(json.dumps(record))
    return run


def of(strategy=None, seed=None):
    """Mean the records of a strategy, of a seed."""

    def meant(record):
        trial = record["trial"]
        return (strategy is None or trial["strategy"]["label"] == strategy) and (seed is None or trial["seed"] == seed)

    return meant


def set_value(record, name, value):
    """Set a measurement, or take it away with None; made where it is not there."""
    others = [m for m in record["measurements"] if m["name"] != name]
    if value is not None:
        unit = {"throughput": "images/s", "accuracy": "1"}.get(name, "B" if "memory" in name or "bytes" in name else "FLOP")
        direction = "higher" if name in ("accuracy", "throughput") else "lower"
        scope = "test" if name == "accuracy" else "train"
        others.append({"name": name, "value": float(value), "unit": unit, "direction": direction, "scope": scope})
    record["measurements"] = others


def value(record, name):
    return next(m["value"] for m in record["measurements"] if m["name"] == name)
