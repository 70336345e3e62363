"""Runs made from a real one: its records as they would be had something else been the case."""

from __future__ import annotations

import json
import shutil

from ftbench import Trial
from ftbench.fingerprint import digest
from pydantic import TypeAdapter

_PART = {"use": "x", "label": "x", "options": {}, "fingerprint": {}}
TRIAL = {
    "suite": "s",
    "target": "t",
    "modality": "vision",
    "backbone": _PART,
    "stages": [{"task": _PART, "training": {"lr": 0.001}}],
    "strategy": _PART,
    "seed": 0,
    "split_seed": 0,
    "device": "cpu",
    "threads": 1,
    "code": "c",
}
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
        unit = {"throughput": "images/s", "accuracy": "1"}.get(
            name, "B" if "memory" in name or "bytes" in name else "FLOP"
        )
        direction = "higher" if name in ("accuracy", "throughput") else "lower"
        scope = "test" if name == "accuracy" else "train"
        others.append({"name": name, "value": float(value), "unit": unit, "direction": direction, "scope": scope})
    record["measurements"] = others


def value(record, name):
    return next(m["value"] for m in record["measurements"] if m["name"] == name)


def elsewhere(run, cpu="Another Processor", **software):
    """Let all of a run have been done on another machine, or with other software."""
    plan = json.loads((run / "plan.json").read_text())
    for path in record_paths(run):
        record = json.loads(path.read_text())
        record["provenance"]["hardware"]["cpu"] = cpu
        record["provenance"]["software"].update(software)
        record["environment"] = digest({name: record["provenance"][name] for name in ("software", "hardware")})
        path.write_text(json.dumps(record))
        path.parent.rename(path.parent.parent / record["environment"])
        plan["environment"] = record["environment"]
    (run / "plan.json").write_text(json.dumps(plan))
    return run


def later(run, days=1.0, version=None):
    """Let all of a run have been done so many days later, with a version of ftbench if one is given."""

    def change(record):
        for name in ("started", "finished"):
            record["provenance"][name] += 86400 * days
        if version is not None:
            record["provenance"]["harness"]["version"] = version

    return rewrite(run, change)


def without_trials(run, **meant):
    """Take the records of a strategy, of a seed, out of a run; its plan still has them."""
    for path in record_paths(run):
        if of(**meant)(json.loads(path.read_text())):
            shutil.rmtree(path.parent.parent)
    return run


def reconfigured(run, strategy, **options):
    """Let a strategy have had other options all along, its ids following from them."""
    plan = json.loads((run / "plan.json").read_text())
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if of(strategy)(record):
            old = record["id"]
            record["trial"]["strategy"]["options"].update(options)
            identify(record)
            path.write_text(json.dumps(record))
            path.parent.parent.rename(run / "trials" / record["id"])
            plan["trials"][plan["trials"].index(old)] = record["id"]
    (run / "plan.json").write_text(json.dumps(plan))
    return run


def identify(record):
    """Give a record the cell and id that its trial has."""
    trial = TypeAdapter(Trial).validate_python(record["trial"])
    record["cell"] = trial.cell
    record["id"] = digest([trial.cell, trial.code, record["provenance"]["harness"]["training"]])
