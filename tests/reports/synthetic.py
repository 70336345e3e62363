"""Make records of runs of any size: noisy scores, costs, curves, confusion matrices, and every kind of failure."""

import random
from dataclasses import replace

from ftbench import Measurement, Record
from ftbench.meters import Phase
from ftbench.reporting import Curve, Failure, Retention

KINDS = ("full", "lora", "adapter", "bitfit", "prefix", "frozen", "distillation", "none", "ia3", "layernorm")
TASKS = (("word-sentiment", "text"), ("digits", "vision"), ("spoken-commands", "speech"), ("word-intensity", "text"))
CLASSES = ("angry", "calm", "glad", "sad", "surprised")
ENVIRONMENT = {
    "software": {"python": "3.11.9", "torch": "2.9.0", "transformers": "5.10.1", "ftbench": "0.1.0"},
    "hardware": {"machine": "x86_64", "cpu": "a processor", "cores": 2, "gpu": None},
}
ENDS = (
    ("oom", "OutOfMemoryError", "tried to allocate 2.00 GiB; 1.10 GiB are free"),
    ("timeout", "Timeout", "longer than limits.trial = 10m"),
    ("error", "ValueError", "a tensor of shape [3, 4] where [4, 3] was wanted"),
    ("diverged", "Diverged", "the loss is not a number at step 17"),
    ("not-applicable", "NotApplicable", "the backbone has no attention that prefixes could be put before"),
)


def named(number):
    """Return the label of a strategy and the name of its plugin."""
    kind = KINDS[number % len(KINDS)]
    return (kind, kind) if number < len(KINDS) else (f"{kind}-r{2 ** (number // len(KINDS))}", kind)


def trials(strategies, seeds, tasks=1, *, failing=True):
    """Make `strategies` × `seeds` × `tasks` records; if `failing`, some strategies fail, each differently."""
    return [
        trial(strategy, seed, task, failing=failing)
        for task in range(tasks)
        for seed in range(seeds)
        for strategy in range(strategies)
    ]


def trial(strategy, seed, task=0, *, failing=True):
    """Make one record."""
    name, kind = named(strategy)
    target, modality = TASKS[task] if task < len(TASKS) else (f"{TASKS[task % 4][0]}-{task // 4}", TASKS[task % 4][1])
    part = {"use": target, "label": target, "options": {}, "fingerprint": {}}
    training = {
        "lr": 2e-5 * (strategy + 1),
        "batch_size": 16,
        "epochs": 3,
        "optimizer": "adamw",
        "schedule": "linear",
        "keep": "last",
    }
    described = {
        "suite": "synthetic",
        "target": target,
        "modality": modality,
        "profile": "normal",
        "seed": seed,
        "split_seed": 0,
        "device": "cpu",
        "threads": 1,
        "code": "c0de",
        "backbone": {**part, "use": f"tiny-{modality}", "label": f"tiny-{modality}"},
        "strategy": {"use": kind, "label": name, "options": {"rank": 2 ** (strategy % 5)}, "fingerprint": {}},
        "stages": [{"task": part, "training": training}],
    }
    identity = f"{task:02x}{strategy:04x}{seed:02x}".ljust(16, "0")
    plain = Record(
        identity,
        identity,
        "e" * 16,
        described,
        "ok",
        "accuracy",
        provenance=provenance(target, modality),
        classes={target: CLASSES},
    )
    if failing and strategy % 10 == 7 and (task + seed) % 3 != 1:
        status, kind, message = ENDS[(strategy // 10 + task) % len(ENDS)]
        attempts = 0 if status == "not-applicable" else 2
        phases = () if status == "not-applicable" else (Phase("load", 0.5), Phase("train", 3.0))
        return replace(
            plain,
            status=status,
            failure=Failure(kind, message, f"Traceback\n  …\n{kind}: {message}"),
            attempts=attempts,
            phases=phases,
        )
    return measured(plain, strategy, seed, task, target)


def measured(plain, strategy, seed, task, target):
    """Add scores, costs, a curve and a confusion matrix."""
    draw = random.Random(f"{strategy} {seed} {task}")
    skill = 0.9 - 0.02 * (strategy % 10) - 0.0015 * (strategy // 10) - 0.03 * task + draw.gauss(0, 0.006)
    right = [round(40 * min(0.99, max(0.2, skill + draw.gauss(0, 0.02)))) for _ in CLASSES]
    matrix = tuple(
        tuple(
            right[row] if row == column else (40 - right[row]) // 4 + ((40 - right[row]) % 4 > (column - row - 1) % 5)
            for column in range(5)
        )
        for row in range(5)
    )
    accuracy = sum(right) / 200
    size = 1e5 * 1.6 ** (strategy % 10) * (1 + strategy // 10 / 10)
    costs = (
        ("trainable_parameters", size, "parameters", "lower"),
        ("stored_bytes", 4 * size, "B", "lower"),
        ("peak_host_memory", 3e8 + 12 * size * (1 + draw.gauss(0, 0.002)), "B", "lower"),
        ("peak_tensor_bytes", 1e8 + 16 * size, "B", "lower"),
        ("throughput", 900 / (1 + size / 4e6) * (1 + draw.gauss(0, 0.02)), "examples/s", "higher"),
        ("flops_per_step", 2e9 + 6 * size * 16, "FLOP", "lower"),
        ("latency_batch_1_p50", 0.004 + draw.random() / 1e3, "s", "lower"),
        ("train_time", 8 + size / 1e6 + draw.random(), "s", "lower"),
        ("charged_time", 12 + size / 1e6 + draw.random(), "s", "lower"),
    )
    readings = (
        Measurement("accuracy", accuracy, "1", "higher", "share of right answers", "test"),
        Measurement("macro_f1", accuracy - 0.004, "1", "higher", "mean over classes", "test"),
        Measurement("loss", 1.1 - accuracy / 2, "nat", "lower", "cross-entropy", "test"),
        Measurement("calibration_error", 0.03 + draw.random() / 50, "1", "lower", "15 bins", "test"),
        *(Measurement(*one, method="as it is said", scope="train") for one in costs),
        *(
            Measurement(f"detail_{n}", n + draw.random(), "s", "lower", method="one clock", scope="train")
            for n in range(12)
        ),
        Measurement("peak_allocated_memory", None, "B", "lower", reason="no device allocator on a CPU"),
        Measurement("energy", None, "J", "lower", reason="the trial runs on the CPU"),
    )
    points = tuple(
        {
            "step": float(n),
            "examples": 16.0 * n,
            "seconds": n * 0.05 * (1 + strategy % 10 / 5),
            "task_loss": 1.6 * (n + 1) ** (-0.2 - skill / 3) + draw.gauss(0, 0.01),
            "loss": 1.0,
        }
        for n in range(1, 101)
    )
    return replace(
        plain,
        measurements=readings,
        phases=(Phase("load", 0.6), Phase("prepare", 0.4), Phase("train", 8 + size / 1e6), Phase("evaluate", 0.8)),
        curves=(Curve(target, points, (), 100, 100),),
        confusion={target: matrix},
    )


def provenance(target, modality):
    return {
        **ENVIRONMENT,
        "splits": {target: "5b11"},
        "orders": {target: "0d"},
        "started": 1.7e9,
        "finished": 1.7e9 + 20,
        "data": {target: {"source": "made for tests", "licence": "MIT", "note": "synthetic"}},
        "backbone": {"source": f"tiny-{modality}", "licence": "Apache-2.0", "note": ""},
    }


def sequence(strategy, seed):
    """Make a record of two tasks learned in sequence."""
    one = trial(strategy, seed, 1, failing=False)
    labels = ("digits-0-4", "digits-5-9")
    kept, draw = 0.9 - 0.1 * (strategy % 4), random.Random(f"sequence {strategy} {seed}")
    scores = [kept + draw.gauss(0, 0.01), 0.88 + draw.gauss(0, 0.01)]
    stages = [
        {"task": {**one.trial["stages"][0]["task"], "label": label}, "training": one.trial["stages"][0]["training"]}
        for label in labels
    ]
    by_task = [
        Measurement("accuracy", score, "1", "higher", task=label, scope="test")
        for label, score in zip(labels, scores, strict=True)
    ]
    whole = [
        Measurement("accuracy", sum(scores) / 2, "1", "higher", "mean over tasks", "test"),
        Measurement("forgetting", 0.95 - scores[0], "1", "lower"),
        Measurement("backward_transfer", scores[0] - 0.95, "1", "higher"),
    ]
    costs = [m for m in one.measurements if m.unit not in ("1", "nat")]
    return replace(
        one,
        id=one.id[:-1] + "f",
        cell=one.cell[:-1] + "f",
        trial={**one.trial, "target": "digits-low-then-high", "stages": stages},
        measurements=(*whole, *by_task, *costs),
        curves=tuple(replace(one.curves[0], task=label) for label in labels),
        confusion=dict.fromkeys(labels, one.confusion["digits"]),
        classes=dict.fromkeys(labels, CLASSES),
        retention=Retention(labels, ((0.95, None), tuple(scores))),
    )
