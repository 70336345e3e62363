"""Runs derived from a real one by changing its records."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zipfile

import numpy as np
from ftbench import Trial
from ftbench.api.metrics import class_scores
from ftbench.fingerprint import digest
from ftbench.records.bundle import EXTRA_FILES, MANIFEST
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
"""Minimal trial of a record."""


def copied(run, folder):
    """Copy a run directory; return the copy."""
    shutil.copytree(run, folder)
    return folder


def bundled(run, path):
    """Write the bundle of a run whatever its files hold, as somebody without ftbench could; return its path."""
    files = {
        one.relative_to(run).as_posix(): one.read_bytes()
        for one in sorted(run.rglob("*"))
        if one.is_file() and (one.parent == run or one.name in ("record.json", "predictions.jsonl.gz"))
    }
    kept = {name: content for name, content in files.items() if "/" in name or name in EXTRA_FILES}
    table = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in kept.items()
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps({"schema": "ftbench.bundle/1", "files": table}))
        for name, content in kept.items():
            archive.writestr(name, content)
    return path


def record_paths(run):
    """Return the paths of all records of a run, sorted."""
    return sorted(run.glob("trials/*/*/record.json"))


def rewrite(run, change, *, where=lambda record: True):
    """Apply `change` in place to the records selected by `where`; return the run."""
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if where(record):
            change(record)
            path.write_text(json.dumps(record))
    return run


def of(strategy=None, seed=None):
    """Return a predicate that selects the records of a strategy, of a seed, or of both."""

    def matches(record):
        trial = record["trial"]
        return (strategy is None or trial["strategy"]["label"] == strategy) and (seed is None or trial["seed"] == seed)

    return matches


def set_value(record, name, value):
    """Set a measurement, adding it if the record lacks it; None removes it."""
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
    """Return the value of a measurement."""
    return next(m["value"] for m in record["measurements"] if m["name"] == name)


def elsewhere(run, cpu="Another Processor", **software):
    """Change all records of a run to another CPU and other software versions; return the run."""
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
    """Move all records of a run to `days` later, and to another ftbench version if given; return the run."""

    def change(record):
        for name in ("started", "finished"):
            record["provenance"][name] += 86400 * days
        if version is not None:
            record["provenance"]["harness"]["version"] = version

    return rewrite(run, change)


def repredicted(run, wrong=1, *, where=lambda record: True):
    """Make `wrong` more predictions of each selected record wrong (or -wrong right), with all scores that follow.

    Return the run.
    """
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if record["status"] == "ok" and where(record):
            kept = path.with_name("predictions.jsonl.gz")
            lines = [json.loads(line) for line in gzip.decompress(kept.read_bytes()).splitlines()]
            chosen = [one for one in lines if (one["prediction"] == one["label"]) == (wrong > 0)][: abs(wrong)]
            for one in chosen:
                likely = one["probabilities"]
                best = one["prediction"]
                other = one["label"] if wrong < 0 else (best + 1) % len(likely)
                likely[best], likely[other] = likely[other], likely[best]
                one["prediction"] = other
            keep_predictions(path, record, lines)
    return run


def keep_predictions(path, record, lines):
    """Write predictions of one class each and the record with all scores that follow from them."""
    truth = np.array([one["label"] for one in lines])
    said = np.array([one["prediction"] for one in lines])
    probability = np.array([one["probabilities"] for one in lines])
    with np.errstate(divide="ignore"):
        scores = {m.name: m.value for m in class_scores(truth, np.log(np.maximum(probability, 1e-9)))}
    for measurement in record["measurements"]:
        if measurement["name"] in scores and measurement["scope"] == "test":
            measurement["value"] = scores[measurement["name"]]
    for label, matrix in record["confusion"].items():
        counts = np.zeros((len(matrix), len(matrix)), int)
        np.add.at(counts, (truth, said), 1)
        record["confusion"][label] = counts.tolist()
    path.write_text(json.dumps(record))
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
    path.with_name("predictions.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def without_trials(run, **selection):
    """Delete the records of a strategy or seed from a run, but not from its plan; return the run."""
    for path in record_paths(run):
        if of(**selection)(json.loads(path.read_text())):
            shutil.rmtree(path.parent.parent)
    return run


def reconfigured(run, strategy, **options):
    """Change options of a strategy in all records, and the ids that follow from them; return the run."""
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
    """Set a record's `cell` and `id` to those of its trial."""
    trial = TypeAdapter(Trial).validate_python(record["trial"])
    record["cell"] = trial.cell
    record["id"] = digest([trial.cell, trial.code, record["provenance"]["harness"]["training"]])
