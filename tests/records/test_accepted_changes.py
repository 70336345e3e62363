"""Accepted changes: approved once with a reason, they adjust the baseline by exactly what was approved."""

import json

import pytest
from ftbench.errors import RunError
from ftbench.gate.checks import exit_code
from ftbench.gate.gate import accept, hold
from ftbench.records.accepted_changes import FILE, AcceptedChange, read_steps, write_steps
from ftbench.records.record_set import Place, read_record_set
from ftbench.suite.suite import Gate

from tests.support.made_runs import copied, of, rewrite, set_value

FULL = Place("digits", "tiny-vit", "full")


@pytest.fixture
def base(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "base")


@pytest.fixture
def head(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "head")


def held(head, base):
    return hold(read_record_set(head), read_record_set(base), Gate())


def accepted(head, base, reason="meant"):
    checks, steps = accept(held(head, base), read_record_set(base), reason)
    write_steps(base, steps)
    return checks


def scored(run, values):
    rewrite(run, lambda record: set_value(record, "accuracy", values[record["trial"]["seed"]]), where=of("full"))


def test_an_accepted_step_is_green_from_then_on_and_says_why(head, base):
    rewrite(head, lambda record: set_value(record, "trainable_parameters", 7))
    assert exit_code(held(head, base)) == 3
    checks = accepted(head, base, "a smaller head")
    assert {check.verdict for check in checks if check.metric == "trainable_parameters"} == {"accepted"}
    assert exit_code(checks) == exit_code(held(head, base), strict=True) == 0
    assert any("accepted: a smaller head" in check.message for check in held(head, base))


def test_the_accepted_value_is_held_as_exactly_as_the_old_one_was(head, base):
    rewrite(head, lambda record: set_value(record, "trainable_parameters", 7))
    accepted(head, base)
    rewrite(head, lambda record: set_value(record, "trainable_parameters", 8))
    assert exit_code(held(head, base)) == 3
    assert exit_code(held(base, base)) == 3


def test_orders_that_differ_by_seed_are_accepted_seed_by_seed(head, base):
    rewrite(head, lambda record: record["provenance"]["orders"].update(digits=f"new-{record['trial']['seed']}"))
    accepted(head, base)
    assert exit_code(held(head, base)) == 0
    rewrite(head, lambda record: record["provenance"]["orders"].update(digits="new-0"))
    assert exit_code(held(head, base)) == 3


def test_an_accepted_loss_moves_the_mean_and_a_further_loss_is_caught(head, base):
    scored(base, (0.90, 0.91, 0.92))
    scored(head, (0.80, 0.812, 0.82))
    accepted(head, base, "faster")
    checks = held(head, base)
    assert exit_code(checks) == 0
    assert any(check.message.endswith("the baseline is adjusted, accepted: faster") for check in checks)
    scored(head, (0.70, 0.712, 0.72))
    assert exit_code(held(head, base)) == 3
    accepted(head, base, "faster still")
    assert exit_code(held(head, base)) == 0
    assert [step.reason for step in read_steps(base)] == ["faster still"]


def test_a_step_holds_only_for_the_baseline_it_was_seen_against(head, base):
    scored(base, (0.90, 0.91, 0.92))
    scored(head, (0.80, 0.812, 0.82))
    accepted(head, base)
    scored(base, (0.95, 0.96, 0.97))
    assert exit_code(held(head, base)) == 3


def test_a_strategy_that_was_dropped_is_accepted_as_missing(head, base):
    rewrite(head, lambda record: record["trial"]["strategy"].update(label="mine"), where=of("lora"))
    assert exit_code(held(head, base)) == 1
    accepted(head, base, "renamed")
    assert exit_code(held(head, base)) == 0


def test_what_is_not_comparable_or_inconclusive_cannot_be_accepted(head, base):
    rewrite(head, lambda record: record["provenance"]["software"].update(torch="1.0"))
    checks = accepted(head, base)
    assert exit_code(checks) == exit_code(held(head, base)) == 5


def test_a_broken_file_of_steps_is_one_line(base):
    write_steps(base, [AcceptedChange("r", "t", "b", "s", "m", seeds=(0,), before=(1.0,), after=("x",))])
    good = json.loads((base / FILE).read_text())
    for text in (
        "{",
        "[]",
        json.dumps({**good, "schema": "ftbench.accepted/9"}),
        json.dumps({**good, "steps": 3}),
        json.dumps({**good, "steps": [{}]}),
    ):
        (base / FILE).write_text(text)
        with pytest.raises(RunError) as caught:
            read_steps(base)
        assert len(caught.value.mistakes) == 1


def test_the_command_writes_the_step_into_a_folder_and_into_a_bundle(ftbench, head, base, tmp_path):
    rewrite(head, lambda record: set_value(record, "trainable_parameters", 7))
    ftbench("bundle", base, "-o", tmp_path / "base.zip", check=0)
    for baseline in (base, tmp_path / "base.zip"):
        ftbench("gate", head, "--baseline", baseline, check=3)
        done = ftbench("gate", head, "--baseline", baseline, "--accept", "smaller on purpose", check=0)
        assert done.stderr == f"accepted 2 changes into {baseline}\n"
        assert "accepted: smaller on purpose" in done.stdout
        ftbench("gate", head, "--baseline", baseline, "--strict", check=0)
    ftbench("bundle", base, "-o", tmp_path / "travelled.zip", check=0)
    ftbench("gate", head, "--baseline", tmp_path / "travelled.zip", check=0)
    assert "nothing to accept" in ftbench("gate", head, "--baseline", base, "--accept", "again", check=0).stderr
    assert ftbench("gate", head, "--baseline", base, "--accept", " ").returncode == 2
