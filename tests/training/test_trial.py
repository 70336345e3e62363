"""One trial in this process: what the outcome holds, and what becomes of an exception."""

import dataclasses
import gzip
import json
import tomllib

import pytest
from ftbench import Plugins, Record
from ftbench.plugins import Selection
from ftbench.runner.child import perform
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.training.early_stopping import ValidationMonitor
from ftbench.training.messages import Spec
from ftbench.training.trial import carry_out

from tests.conftest import EXAMPLES, QUICK, TINY


@pytest.fixture
def carried(catalog, tmp_path):
    """Carry out the first trial of a tiny suite, or the trial that is given."""

    def carry(strategies, catalog=catalog, knobs="", validation_size=20, steps=6, trial=None):
        if trial is None:
            text = TINY.format(measure=QUICK, name="x", seeds="[0]", steps=steps, limit="1m", strategies=strategies)
            text = text.replace("batch_size = 8", f"batch_size = 8\n{knobs}")
            text = text.replace("validation_size = 20", f"validation_size = {validation_size}")
            trial = plan(parse_suite(tomllib.loads(text), catalog), catalog)[0]
        events = []
        outcome = carry_out(Spec(trial, "cpu", str(tmp_path / "cache")), catalog, tmp_path, events.append)
        return trial, outcome, events

    return carry


def test_an_outcome_makes_a_record(carried, tmp_path):
    trial, outcome, events = carried('[[strategy]]\nuse = "lora"\n')
    table = {
        "schema": "ftbench.record/1",
        "id": trial.id,
        "cell": trial.cell,
        "environment": "e",
        "trial": dataclasses.asdict(trial),
        "primary": "accuracy",
        **outcome,
    }
    record = Record.from_json(json.dumps(table))
    assert record.status == "ok", record.failure
    assert record.measurement("trainable_backbone_parameters").value == 8 * 2 * 8 * 128 * 2 // 2
    assert [point["step"] for point in record.curves[0].points] == [1, 2, 3, 4, 5, 6]
    assert record.curves[0].validation[-1]["step"] == 6
    last = [event for event in events if event["event"] == "step"][-1]
    assert last["step"] == last["steps"] == 6
    edges = [(event["event"], event["phase"], event["at"]) for event in events if event["event"] in ("enter", "leave")]
    assert [at for *_, at in edges] == sorted(at for *_, at in edges)
    assert [phase for kind, phase, _ in edges if kind == "enter"][:3] == ["load", "prepare", "train"]
    assert edges[-1][:2] == ("leave", "probe")
    with gzip.open(tmp_path / "predictions.jsonl.gz", "rt") as stream:
        lines = [json.loads(line) for line in stream]
    assert len(lines) == 60
    right = sum(line["label"] == line["prediction"] for line in lines)
    assert record.measurement("accuracy").value == pytest.approx(right / 60)


def test_the_untrained_model_has_no_curve_and_no_throughput(carried):
    _, outcome, _ = carried('[[strategy]]\nuse = "none"\n')
    reading = next(m for m in outcome["measurements"] if m["name"] == "throughput")
    assert outcome["curves"] == []
    assert (reading["value"], reading["reason"]) == (None, "nothing was trained")


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("raise", "error", "the strategy raised"),
        ("memory", "oom", "no memory left"),
        ("nan", "diverged", "the loss is nan at step 1"),
    ],
)
def test_an_exception_becomes_the_trials_failure_and_what_was_known_is_kept(how, status, message, carried):
    catalog = Plugins.discover(Selection((str(EXAMPLES / "misbehaving.py"),))).catalog()
    _, outcome, _ = carried(f'[[strategy]]\nuse = "misbehaving"\nhow = "{how}"\n', catalog)
    assert outcome["status"] == status
    assert outcome["failure"]["message"].startswith(message)
    assert "load" in {phase["name"] for phase in outcome["phases"]}
    assert outcome["provenance"]["splits"]
    told = {m["name"]: m["value"] for m in outcome["measurements"]}
    assert "accuracy" not in told, "a trial that failed has no score"
    assert told["train_time"] > 0
    assert told["peak_host_memory"] is None or told["peak_host_memory"] > 0


def test_a_strategy_that_turns_out_not_to_apply_is_no_failure(carried):
    _, outcome, _ = carried('[[strategy]]\nuse = "peft"\nmethod = "poly"\n')
    assert outcome["status"] == "not-applicable"
    assert outcome["failure"]["message"] == "peft: ValueError: task_ids should not be None."


def test_a_folder_with_a_spec_is_enough_to_carry_a_trial_out(carried, tmp_path, catalog):
    import dataclasses

    trial, _, _ = carried('[[strategy]]\nuse = "frozen"\n')
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(dataclasses.asdict(Spec(trial, "cpu", str(tmp_path / "cache")))))
    perform(folder)
    assert json.loads((folder / "outcome.json").read_text())["status"] == "ok"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[0] == {"event": "started"}


def test_label_smoothing_and_class_weights_reach_the_loss(carried):
    def first_loss(knobs):
        _, outcome, _ = carried('[[strategy]]\nuse = "frozen"\n', knobs=knobs)
        assert outcome["status"] == "ok"
        return outcome["curves"][0]["points"][0]["task_loss"]

    plain = first_loss("")
    assert first_loss("label_smoothing = 0.3") != plain
    # The classes of the task are balanced: their weights are all one.
    assert first_loss('class_weights = "balanced"') == pytest.approx(plain, abs=1e-5)


def test_a_training_that_stopped_early_says_so_and_its_progress_ends_where_it_did(carried):
    # At this rate the validation cannot become better by one nat.
    _, outcome, events = carried(
        '[[strategy]]\nuse = "frozen"\n', knobs="validations = 6\nearly_stopping = 2\nmin_delta = 1.0"
    )
    (curve,) = outcome["curves"]
    assert (curve["made"], curve["planned"], curve["kept"]) == (3, 6, None)
    assert [point["step"] for point in curve["points"]] == [1, 2, 3]
    assert [point["step"] for point in curve["validation"]] == [1, 2, 3]
    made = next(m for m in outcome["measurements"] if m["name"] == "training_steps")
    assert (made["value"], made["method"]) == (3, "steps made of 6 planned")
    last = [event for event in events if event["event"] == "step"][-1]
    assert (last["step"], last["steps"]) == (3, 3)


SEQUENCE = """
[[strategy]]
use = "lpft"
[[task]]
use = "digits"
label = "more"
train_size = 40
validation_size = 20
test_size = 60
[[sequence]]
label = "both"
tasks = ["digits", "more"]
"""


def test_a_stage_that_stopped_early_leaves_its_steps_out_of_those_to_come(carried, catalog):
    # The first task stops in the probe of `lpft`, with the backbone frozen; the second trains it all the same.
    first = "train_size = 40\ntraining = { early_stopping = 1, validations = 6, min_delta = 9.0 }"
    text = TINY.format(measure=QUICK, name="x", seeds="[0]", steps=6, limit="1m", strategies=SEQUENCE).replace(
        "train_size = 40", first, 1
    )
    trial = next(trial for trial in plan(parse_suite(tomllib.loads(text), catalog), catalog) if trial.is_sequence)
    _, outcome, events = carried('[[strategy]]\nuse = "full"\n', trial=trial)
    assert outcome["status"] == "ok", outcome["failure"]
    assert [(curve["made"], curve["planned"]) for curve in outcome["curves"]] == [(2, 6), (6, 6)]
    steps = [(event["step"], event["steps"]) for event in events if event["event"] == "step"]
    assert (2, 8) in steps
    assert steps[-1] == (8, 8)
    counted = {m["name"]: m["value"] for m in outcome["measurements"]}
    assert counted["trainable_backbone_parameters"] > 400_000
    assert [m["task"] for m in outcome["measurements"] if m["name"] == "training_steps"] == ["digits"]


def test_the_weights_of_the_best_validation_are_those_that_are_scored(carried):
    def scored(knobs="", **changes):
        knobs = f'schedule = "constant"\nwarmup = 0.0\n{knobs}'
        _, outcome, _ = carried('[[strategy]]\nuse = "full"\nlr = 0.01\n', knobs=knobs, **changes)
        assert outcome["status"] == "ok"
        return outcome["curves"][0], next(m["value"] for m in outcome["measurements"] if m["name"] == "loss")

    curve, kept = scored('validations = 6\nkeep = "best"')
    best = min(curve["validation"], key=lambda point: point["loss"])
    assert curve["kept"] == best["step"] < 6
    assert kept == scored(steps=int(best["step"]))[1]
    assert kept != scored()[1]


@pytest.mark.parametrize(("knob", "tolerance"), [('precision = "bf16"', 0.02), ("dropout = 0.05", 0.2)])
def test_how_a_learner_computes_reaches_the_trial_its_id_and_its_record(knob, tolerance, carried):
    trials, losses = [], []
    for knobs in ("", knob):
        trial, outcome, _ = carried('[[strategy]]\nuse = "full"\n', knobs=knobs)
        assert outcome["status"] == "ok", outcome["failure"]
        trials.append(trial.id)
        losses.append(outcome["curves"][0]["points"][-1]["task_loss"])
    assert trials[0] != trials[1]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=tolerance)


JUDGED = 'schedule = "plateau"\nvalidations = 6'


def test_a_protocol_that_goes_by_validation_is_not_applicable_without_one(carried):
    _, outcome, _ = carried('[[strategy]]\nuse = "frozen"\n', knobs=JUDGED, validation_size=0)
    assert outcome["status"] == "not-applicable"
    assert outcome["failure"]["message"].endswith("need a validation split, and the task has none")


def test_a_metric_the_task_does_not_give_is_one_line_of_the_trial(carried):
    _, outcome, _ = carried('[[strategy]]\nuse = "frozen"\n', knobs=f'{JUDGED}\nwatch = "bleu"')
    assert outcome["failure"]["kind"] == "UserError"
    message = outcome["failure"]["message"]
    assert message.startswith("training.watch: 'bleu' is not a metric that can be watched; this task has accuracy, ")
    assert message.endswith(", loss")


def test_a_teacher_goes_by_validations_of_its_own(carried, monkeypatch):
    seen = []
    monkeypatch.setattr(ValidationMonitor, "update", lambda monitor, *arguments: seen.append(monitor))
    for knobs, trainings, validations in ((JUDGED, 2, 12), ("", 1, 1)):
        seen.clear()
        _, outcome, _ = carried('[[strategy]]\nuse = "distillation"\n', knobs=knobs)
        assert outcome["status"] == "ok"
        assert (len(set(map(id, seen))), len(seen)) == (trainings, validations)


@pytest.mark.parametrize(("metric", "status"), [("recall[4]", "ok"), ("zebra", "error")])
def test_a_score_that_no_task_lists_is_found_or_missed_when_the_first_split_is_scored(carried, metric, status, catalog):
    trial, _, _ = carried('[[strategy]]\nuse = "none"\n')
    stages = tuple(dataclasses.replace(stage, metric=metric) for stage in trial.stages)
    _, outcome, _ = carried("", trial=dataclasses.replace(trial, stages=stages))
    assert outcome["status"] == status
    if status == "error":
        assert outcome["failure"]["message"].startswith("task.metric: 'zebra' is not a score of this task; known: accu")
    else:
        assert metric in {found["name"] for found in outcome["measurements"]}
