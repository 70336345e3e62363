"""Step events and heartbeats: limited in rate, except for the last step of a stage."""

import pytest
from ftbench.training import messages
from ftbench.training.messages import ProgressEvents


@pytest.fixture
def emitter(monkeypatch):
    """Return an emitter, the events it emitted, and a clock that the test sets."""
    clock, events = [100.0], []
    monkeypatch.setattr(messages.time, "monotonic", lambda: clock[0])
    found = ProgressEvents(events.append)
    found.steps = [4, 6]
    return found, events, clock


def test_steps_are_counted_over_all_stages_and_emitted_now_and_then(emitter):
    found, events, clock = emitter
    for step in (1, 2, 3, 4):
        found.step(0, step, [0.5, 1 / step])
        clock[0] += messages.STEP_EVERY / 3
    assert [event["step"] for event in events] == [1, 4]
    clock[0] += messages.STEP_EVERY
    found.step(1, 2, [0.1])
    assert events[-1] == {"event": "step", "step": 6, "steps": 10, "loss": 0.1}


def test_before_the_first_loss_no_step_is_emitted(emitter):
    found, events, _ = emitter
    found.step(0, 4, [])
    assert not events


def test_a_stage_that_stopped_early_is_whole_with_the_steps_it_made(emitter):
    found, events, clock = emitter
    clock[0] += 1
    found.end_stage(0, 3, [0.2])
    assert events == [{"event": "step", "step": 3, "steps": 9, "loss": 0.2}]


def test_other_work_gives_a_heartbeat_a_second(emitter):
    found, events, clock = emitter
    for _ in range(10):
        found.heartbeat()
        clock[0] += messages.HEARTBEAT_EVERY / 4
    assert events == [{"event": "working"}] * 2
