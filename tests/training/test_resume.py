"""A killed trial resumes from its checkpoint and gives the same bits as one that was not killed."""

import hashlib
import json
import os
import signal
import subprocess
import time
import tomllib

import numpy as np
import pytest
import torch
from ftbench import Strategy
from ftbench.fingerprint import cache_folder
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.checkpoints import Checkpoints, pack, unpack
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FTBENCH, QUICK, TINY

SECOND = (
    '[[task]]\nuse = "digits"\nlabel = "more"\nalone = false\ntrain_size = 30\nvalidation_size = 20\ntest_size = 20\n'
)
SEQUENCE = SECOND + '[[sequence]]\nlabel = "both"\ntasks = ["digits", "more"]\n'


class Killed(BaseException):
    """Ends a trial at any moment."""


class Kill:
    """Kills a trial after a number of step events."""

    def __init__(self, after):
        self.after, self.steps = after, 0

    def __call__(self, event):
        if event.get("event") == "step":
            self.steps += 1
            if self.after is not None and self.steps > self.after:
                raise Killed


@pytest.fixture
def trial_of(catalog):
    """Plan the one trial of a tiny suite, the last target being its only one where there are two."""

    def make(strategy, *, training="", tasks="", steps=8):
        entry = f'[[strategy]]\nuse = "{strategy}"\n' if "use" not in strategy else f"[[strategy]]\n{strategy}\n"
        text = TINY.format(
            name="resume", seeds="[0]", steps=steps, limit="2m", strategies=tasks + entry, measure="meters = []"
        )
        table = tomllib.loads(text.replace("batch_size = 8\n", f"batch_size = 8\n{training}\n"))
        table["task"][0]["alone"] = "sequence" not in table
        return plan(parse_suite(table, catalog), catalog)[-1]

    return make


@pytest.fixture
def run(catalog, tmp_path, monkeypatch):
    """Run a trial, killed after some steps or not; every step emits an event and writes a checkpoint."""
    monkeypatch.setattr("ftbench.training.messages.ProgressEvents.step", _emit_every_step)
    monkeypatch.setattr("ftbench.training.checkpoints.SHARE", 0)

    def carry(trial, folder="a", *, kill=None, every=0.0, checkpoints="checkpoints"):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        # What trials share is not to spare one of them the steps it is killed in.
        shared = cache_folder() if every is not None or not trial.is_sequence else tmp_path / "another cache"
        spec = Spec(trial, "cpu", str(shared), checkpoints=str(tmp_path / checkpoints), checkpoint=every)
        threads = torch.get_num_threads()
        try:
            return carry_out(spec, catalog, place, Kill(kill)), place
        finally:
            torch.set_num_threads(threads)

    return carry


def _emit_every_step(self, stage, step, losses):
    self._emit({"event": "step", "step": step, "steps": 0, "loss": 0.0})


def bits(outcome, place):
    """Return all that must be the same in two trials: predictions, scores, curves."""
    assert outcome["status"] == "ok", outcome["failure"]
    curves = [
        {
            **curve,
            "points": [{key: value for key, value in point.items() if key != "seconds"} for point in curve["points"]],
        }
        for curve in outcome["curves"]
    ]
    scores = {
        (m["task"], m["name"]): m["value"]
        for m in outcome["measurements"]
        if m["scope"] in ("test", "train") and m["unit"] != "s"
    }
    predictions = hashlib.sha256((place / "predictions.jsonl.gz").read_bytes()).hexdigest()
    return predictions, scores, curves, outcome["confusion"], outcome["retention"]


BEST = 'keep = "best"\nvalidations = 4'
CASES = {
    "dropout and accumulation": ("full", "dropout = 0.2\naccumulation = 2", "", 3),
    "best weights": ("lora", BEST, "", 6),
    "ewc, second stage": ("ewc", "", SEQUENCE, 12),
}
MORE = {
    "full": ("full", "", "", 5),
    "lora": ("lora", "", "", 5),
    "bf16": ("full", 'precision = "bf16"', "", 4),
    "early stopping": ("full", 'early_stopping = 2\nvalidations = 8\nlr = 0.5\nwatch = "accuracy"', "", 3),
    "ewc, first stage": ("ewc", "", SEQUENCE, 4),
    "plateau": ("full", 'schedule = "plateau"\nvalidations = 8\npatience = 1', "", 6),
    "fp16": ("full", 'precision = "fp16"', "", 5),
    "momentum": ("full", 'optimizer = "sgd"\noptimizer_options = { momentum = 0.9 }', "", 5),
    "adafactor": ("full", 'optimizer = "adafactor"', "", 5),
    "asgd": ("full", 'optimizer = "asgd"', "", 5),
    "rprop": ("full", 'optimizer = "rprop"', "", 5),
    "recomputing": ("full", "gradient_checkpointing = true\ndropout = 0.1", "", 5),
    "gradual": ("gradual", "", "", 5),
    "linear probe, then full": ("lpft", "", "", 2),
    "linear probe, then full, switched": ("lpft", "", "", 6),
    "layerwise": ("layerwise", "", "", 5),
    "l2sp": ("l2sp", "", "", 5),
    "adalora": ("adalora", "dropout = 0.1", "", 5),
    "adalora, best weights": ("adalora", BEST, "", 6),
    "lora-fa": ('use = "lora"\noptions = { variant = "lora-fa" }', "", "", 5),
    "lora with dropout": ('use = "lora"\noptions = { dropout = 0.3 }', "", "", 5),
    "vera": ("vera", "", "", 5),
    "combine": ('use = "combine"\noptions = { parts = ["adalora", "bitfit"] }', "", "", 5),
    "distillation": ("distillation", "", "", 5),
    "replay, second stage": ("replay", "dropout = 0.1", SEQUENCE, 12),
    # Its first stage is read from the cache: the run that is killed has only the eight steps of the second.
    "full, first task from the cache": ("full", "dropout = 0.1", SEQUENCE, 4),
    "ewc, best weights, second stage": ("ewc", BEST, SEQUENCE, 13),
}


def holds(case, trial_of, run):
    strategy, training, tasks, killed = case
    trial = trial_of(strategy, training=training, tasks=tasks)
    whole = bits(*run(trial, "whole", every=None))
    with pytest.raises(Killed):
        run(trial, "first", kill=killed)
    outcome, place = run(trial, "second")
    # It was killed before the checkpoint of the last step that emitted an event.
    assert next(reversed(outcome["provenance"]["resumed"].values())) == [killed - 8 * (killed > 8)]
    assert bits(outcome, place) == whole


@pytest.mark.parametrize("case", CASES)
def test_a_killed_trial_comes_to_the_same_bits(case, trial_of, run):
    holds(CASES[case], trial_of, run)


@pytest.mark.thorough
@pytest.mark.parametrize("case", MORE)
def test_a_killed_trial_of_every_kind_comes_to_the_same_bits(case, trial_of, run):
    holds(MORE[case], trial_of, run)


@pytest.mark.thorough
def test_a_trial_killed_at_every_step_of_its_way_comes_to_the_same_bits(trial_of, run):
    trial = trial_of("ewc", training="dropout = 0.1", tasks=SEQUENCE, steps=4)
    whole = bits(*run(trial, "whole", every=None))
    for attempt in range(12):
        try:
            outcome, place = run(trial, f"attempt-{attempt}", kill=1)
        except Killed:
            continue
        assert attempt >= 4
        assert bits(outcome, place) == whole
        return
    raise AssertionError("it never ended")


def damage(path, how):
    """Do to the latest checkpoint what a disk, a power cut or a hand may do."""
    if how == "torn":
        path.rename(path.with_name(f".{path.name}.1"))
    elif how == "gone":
        (path / "tensors.safetensors").unlink()
    else:
        file = path / ("position.json" if how == "position" else "tensors.safetensors")
        content = bytearray(file.read_bytes())
        if how == "cut":
            content = content[: len(content) // 2]
        else:
            content[-40] ^= 1
        file.write_bytes(content)


@pytest.mark.parametrize("how", ["torn", "position", "tensors", "cut", "gone"])
def test_a_damaged_checkpoint_is_left_out_and_the_one_before_is_taken(how, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ftbench.training.checkpoints.SHARE", 0)
    kept = Checkpoints(tmp_path / "c", 0.0, "a")
    for step in (9, 10):
        kept.save(0, step, {"x": torch.full((300,), float(step)), "y": [step]}, ended=False)
    damage(tmp_path / "c" / "0-10", how)
    assert [(step, state["y"]) for step, _, state in Checkpoints(tmp_path / "c", 0.0, "a").latest(0)] == [(9, [9])]
    assert ("checkpoint 0-10: ignored: " in capsys.readouterr().out) == (how != "torn")
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [*(["0-10"] if how != "torn" else []), "0-9"]


def test_a_trial_goes_on_from_the_checkpoint_before_a_damaged_one(trial_of, run, tmp_path):
    trial = trial_of("lora", steps=6)
    with pytest.raises(Killed):
        run(trial, "first", kill=4)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["0-3", "0-4"]
    damage(tmp_path / "checkpoints" / "0-4", "tensors")
    outcome, place = run(trial, "second")
    assert outcome["provenance"]["resumed"] == {"digits": [3]}
    assert bits(outcome, place) == bits(*run(trial, "whole", every=None))


def test_checkpoints_of_another_trial_or_of_other_weights_are_left_out(trial_of, run, tmp_path):
    one, other = trial_of("lora", steps=6), trial_of("full", steps=6)
    with pytest.raises(Killed):
        run(one, "first", kill=4)
    assert "resumed" not in str(run(other, "second")[0]["disturbances"])


@pytest.mark.parametrize(
    ("moments", "expected"), [((), True), (("loss",), False), (("before_step", "resumable"), True), (("state",), False)]
)
def test_who_acts_in_training_must_say_that_a_checkpoint_is_enough(moments, expected):
    acts = {name: (lambda self: True) if name == "resumable" else (lambda *_: None) for name in moments}
    made = type("Own", (Strategy,), {"prepare": lambda *_: None, **acts})()
    assert made.resumable() is expected


def test_a_strategy_that_cannot_go_on_begins_anew_and_says_so(trial_of, run, monkeypatch, capsys, tmp_path):
    from ftbench_plugins.strategies.lora import LoRA

    monkeypatch.setattr(LoRA, "resumable", lambda self: False)
    trial = trial_of("lora", steps=6)
    with pytest.raises(Killed):
        run(trial, "first", kill=4)
    assert not (tmp_path / "checkpoints").exists()
    assert "no checkpoints: LoRA cannot resume from one" in capsys.readouterr().out
    outcome, place = run(trial, "second")
    assert outcome["provenance"]["resumed"] == {}
    assert bits(outcome, place) == bits(*run(trial, "whole", every=None))


def test_a_short_trial_writes_nothing_and_a_full_disk_costs_the_checkpoint_only(
    trial_of, run, monkeypatch, capsys, tmp_path
):
    trial = trial_of("full", steps=3)
    whole = bits(*run(trial, "short", every=600.0))
    assert not (tmp_path / "checkpoints").exists()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    assert bits(*run(trial, "full")) == whole
    assert "no checkpoint after step 1: No space left on device" in capsys.readouterr().out
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_last_two_are_kept_and_each_is_believed_by_its_hash(tmp_path, monkeypatch):
    monkeypatch.setattr("ftbench.training.checkpoints.SHARE", 0)
    kept = Checkpoints(tmp_path / "c", 0.0, "a")
    for step in range(1, 5):
        kept.save(0, step, {"x": torch.full((3,), float(step))}, ended=False)
    kept.save(1, 2, {"x": torch.zeros(1)}, ended=False)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["0-3", "0-4", "1-2"]
    assert [(step, ended, state["x"].tolist()) for step, ended, state in kept.latest(0)] == [
        (4, False, [4.0] * 3),
        (3, False, [3.0] * 3),
    ]
    kept.save(0, 4, {"x": torch.ones(1)}, ended=True)
    assert [(step, ended) for step, ended, _ in kept.latest(0)] == [(4, True)]
    assert list(Checkpoints(tmp_path / "c", 0.0, "b").latest(0)) == []
    kept.forget(0)
    assert list((tmp_path / "c").iterdir()) == []


_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.builds(lambda n: torch.arange(n, dtype=torch.bfloat16), st.integers(0, 4))
    | st.builds(lambda n: np.arange(n, dtype=np.uint32), st.integers(0, 4))
)
_values = st.recursive(
    _leaves,
    lambda x: (
        st.lists(x, max_size=3) | st.tuples(x, x) | st.dictionaries(st.text(max_size=3) | st.integers(), x, max_size=3)
    ),
    max_leaves=8,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@settings(max_examples=200, deadline=None)
@given(_values)
def test_what_is_packed_is_unpacked_equal(value):
    packed, tensors = pack(value)
    assert same(value, unpack(json.loads(json.dumps(packed)), tensors))


def test_what_cannot_be_kept_is_refused():
    for value in (object(), {"a": {1, 2}}, [lambda: None], np.float64(1.0)):
        with pytest.raises(TypeError, match="cannot be stored in a checkpoint"):
            pack(value)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_run_killed_by_sigkill_goes_on_and_flags_what_was_measured_of_it(tmp_path):
    strategies = '[[strategy]]\nuse = "full"\n'
    text = TINY.format(name="long", seeds="[0]", steps=150, limit="5m", strategies=strategies, measure=QUICK)
    for name, machine in (("killed", 'checkpoint = "0.1s"'), ("whole", 'checkpoint = "never"')):
        (tmp_path / f"{name}.toml").write_text(
            text.replace('"long"', f'"{name}"').replace("threads = 1", f"threads = 1\n{machine}")
        )
    runner = subprocess.Popen(
        [FTBENCH, "run", "killed.toml", "--no-report"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not list(tmp_path.glob("runs/killed/trials/*/*/checkpoints/0-[1-9]*")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    assert not list(tmp_path.glob("runs/killed/trials/*/*/record.json"))
    for name in ("killed", "whole"):
        subprocess.run(
            [FTBENCH, "run", f"{name}.toml", "--no-report"], cwd=tmp_path, check=True, capture_output=True, timeout=200
        )
    found = {
        name: json.loads(next(tmp_path.glob(f"runs/{name}/trials/*/*/record.json")).read_text())
        for name in ("killed", "whole")
    }
    resumed = found["killed"]["provenance"]["resumed"]["digits"]
    assert 0 < resumed[-1] <= 150
    assert found["killed"]["attempts"] == 2
    answers = {name: next(tmp_path.glob(f"runs/{name}/trials/*/*/predictions.jsonl.gz")).read_bytes() for name in found}
    assert answers["killed"] == answers["whole"]
    losses = {
        name: [record["curves"][0]["points"][column] for column in ("step", "task_loss")]
        for name, record in found.items()
    }
    assert losses["killed"] == losses["whole"]
    readings = {m["name"]: m for m in found["killed"]["measurements"]}
    flag = f"disturbed: resumed after step {resumed[-1]} of digits"
    assert all(flag in readings[name]["flags"] for name in ("wall_time", "train_time", "throughput"))
    assert flag not in readings["accuracy"]["flags"]
    assert "s before it resumed from a checkpoint" in readings["train_time"]["method"]
    assert not list(tmp_path.glob("runs/*/trials/*/*/checkpoints"))
