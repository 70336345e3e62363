"""A trial that sends heartbeats but never ends is stopped by `limits.trial`, and the next trial runs."""

from ftbench.notebook import read_run

from tests.faults.quick_suite import PLUGIN, write


def test_a_trial_that_takes_too_long_is_ended_whatever_it_shows(tmp_path, inside):
    suite = write(tmp_path, steps=40, pause=0.5)
    text = suite.read_text().replace("[limits]", '[limits]\ntrial = "4s"\nno_progress = "3s"')
    suite.write_text(text + '[[strategy]]\nuse = "none"\n')
    inside("-p", PLUGIN, "run", suite, check=1)
    slow, neighbour = read_run(tmp_path / "runs" / "quick")
    assert (slow.status, slow.failure.kind, slow.failure.message) == (
        "timeout",
        "Timeout",
        "longer than limits.trial = 4s",
    )
    assert slow.measurement("wall_time").value > 4
    assert slow.attempts == 1
    assert neighbour.status == "ok"
