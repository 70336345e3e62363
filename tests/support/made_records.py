"""Make records of one small suite, with chosen scores, for summaries and reports."""

from dataclasses import replace

from ftbench import Measurement, Record
from ftbench.meters import Phase
from ftbench.reporting import Curve, Failure


def point(step, loss):
    return {"step": float(step), "examples": 16.0 * step, "seconds": 0.5 * step, "task_loss": loss, "loss": loss}


def record(strategy, seed, accuracy, *, status="ok", target="digits", backbone="vit", params=1000.0, message="why"):
    part = {"use": strategy, "label": strategy, "options": {}, "fingerprint": {}}
    trial = {
        "suite": "page",
        "target": target,
        "modality": "vision",
        "profile": "normal",
        "seed": seed,
        "split_seed": 0,
        "device": "cpu",
        "threads": 1,
        "code": "c",
        "backbone": {**part, "use": backbone, "label": backbone},
        "strategy": part,
        "stages": [{"task": {**part, "label": target}, "training": {"lr": 0.001, "batch_size": 16}}],
    }
    readings = (
        Measurement("accuracy", accuracy, "1", "higher"),
        Measurement("macro_f1", accuracy, "1", "higher"),
        Measurement("trainable_parameters", params, "parameters", "lower"),
        Measurement("peak_allocated_memory", None, "B", "lower", reason="no device allocator on a CPU"),
    )
    done = status == "ok"
    return Record(
        f"{strategy}{seed}",
        f"{strategy}{seed}",
        "env",
        trial,
        status,
        "accuracy",
        measurements=readings if done else (),
        phases=(Phase("train", 1.0),) if done else (),
        curves=(Curve(target, tuple(point(step, 0.6 - step / 10) for step in (1, 2)), ()),) if done else (),
        confusion={target: ((5, 1), (2, 4))} if done else {},
        classes={target: ("a", "b")},
        failure=None if done else Failure("Kind", message, "Traceback <b>"),
        provenance={
            "software": {"torch": "2"},
            "hardware": {"cpu": "x"},
            "data": {target: {"licence": "MIT", "source": "s", "note": ""}},
        },
    )


def with_memory(r):
    """Add a peak of allocated device memory."""
    others = tuple(m for m in r.measurements if m.name != "peak_allocated_memory")
    held = Measurement("peak_allocated_memory", 2.0**30, "B", "lower")
    return replace(r, measurements=(*others, held)) if r.status == "ok" else r


RECORDS = [
    *(record("full", seed, 0.9 + seed / 100, params=9000.0) for seed in range(3)),
    *(record("lora", seed, 0.7 + seed / 50) for seed in range(3)),
    record("bad", 0, 0.0, status="oom", message="does not fit"),
]
