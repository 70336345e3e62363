"""Signs of life: as many as somebody would look at, and the last step of a stage always."""

import pytest
from ftbench.training import messages
from ftbench.training.messages import Signs


@pytest.fixture
def told(monkeypatch):
    """Give signs, what they emit, and a clock to turn."""
    clock, events = [100.0], []
    monkeypatch.setattr(messages.time, "monotonic", lambda: clock[0])
    found = Signs(events.append)
    found.steps = [4, 6]
    return found, events, clock


def test_steps_are_counted_over_all_stages_and_told_now_and_then(told):
    found, events, clock = told
    for step in (1, 2, 3, 4):
        found.step(0, step, [0.5, 1 / step])
        clock[0] += messages.STEP_EVERY / 3
    assert [event["step"] for event in events] == [1, 4]
    clock[0] += messages.STEP_EVERY
    found.step(1, 2, [0.1])
    assert events[-1] == {"event": "step", "step": 6, "steps": 10, "loss": 0.1}


def test_before_the_first_loss_there_is_nothing_to_tell(told):
    found, events, _ = told
    found.step(0, 4, [])
    assert not events


def test_a_stage_that_stopped_early_is_whole_with_the_steps_it_made(told):
    found, events, clock = told
    clock[0] += 1
    found.end(0, 3, [0.2])
    assert events == [{"event": "step", "step": 3, "steps": 9, "loss": 0.2}]


def test_work_beside_the_training_gives_a_sign_a_second(told):
    found, events, clock = told
    for _ in range(10):
        found.working()
        clock[0] += messages.SIGN_EVERY / 4
    assert events == [{"event": "working"}] * 2
