"""What the console shows while a run goes on: lines, bars, the time left, the answer to Ctrl-C."""

import io
from dataclasses import replace

import pytest
from ftbench.meters import Phase
from ftbench.records.store import Store
from ftbench.runner.local_plan import plan_here
from ftbench.runner.progress import ConsoleProgress, interruption_line
from ftbench.suite.parser import read_suite
from rich.console import Console

from tests.reports.test_page import record

STRATEGIES = ("full", "bitfit")


class Shown:
    """A display, its clock and its output."""

    def __init__(self, suite, trials, *, terminal=False, runs=None):
        self.suite, self.trials, self.now, self.out = suite, trials, 0.0, io.StringIO()
        console = Console(file=self.out, force_terminal=terminal, width=150)
        self.progress = ConsoleProgress(console, runs=runs, now=lambda: self.now)

    def start(self, *trials):
        self.progress.ftbench_suite_started(self.suite, list(trials or self.trials))

    def run(self, trial, seconds, status="ok"):
        """Run a trial that takes `seconds`; return what is shown meanwhile."""
        before = len(self.out.getvalue())
        self.progress.ftbench_trial_started(trial)
        self.now += seconds
        self.progress.ftbench_trial_finished(trial, lasting(trial, seconds, status))
        return self.out.getvalue()[before:]


def lasting(trial, seconds, status="ok"):
    """Return the record of a trial that took `seconds`."""
    made = record(
        trial.strategy.label,
        trial.seed,
        0.8,
        status=status,
        target=trial.target,
        backbone=trial.backbone.label,
    )
    return replace(made, id=trial.id, phases=(Phase("train", float(seconds)),))


@pytest.fixture
def planned(tiny_suite, plugins, catalog):
    suite = read_suite(tiny_suite(STRATEGIES, seeds="[0, 1, 2]"), catalog)
    return suite, plan_here(suite, plugins, catalog)


def of(trials, strategy):
    return [trial for trial in trials if trial.strategy.label == strategy]


def test_lines_end_with_the_time_left_from_the_second_trial_on(planned):
    shown = Shown(*planned)
    full, bitfit = of(shown.trials, "full"), of(shown.trials, "bitfit")
    shown.start()
    assert shown.run(full[0], 240) == "  1/6 ok digits · tiny-vit · full · seed 0 accuracy 0.800 240.0 s\n"
    assert shown.run(bitfit[0], 60).endswith("60.0 s, about 10 min left\n")  # 2 × 4 + 2 × 1 min
    assert shown.run(full[1], 240).endswith("240.0 s, about 6 min left\n")
    shown.run(full[2], 240)
    shown.run(bitfit[1], 60)
    assert shown.run(bitfit[2], 60).endswith("60.0 s\n")


def test_a_failed_trial_predicts_nothing(planned):
    shown = Shown(*planned)
    shown.start()
    assert "left" not in shown.run(shown.trials[0], 1, "error")
    assert "left" not in shown.run(shown.trials[1], 100)
    assert shown.run(shown.trials[2], 100).endswith("about 5 min left\n")


def test_earlier_trials_of_the_run_count_from_the_start(planned, tmp_path):
    suite, trials = planned
    store = Store(tmp_path / "runs" / suite.name)
    for trial in trials[:3]:
        store.commit(lasting(trial, 120))
    shown = Shown(suite, trials, runs=tmp_path / "runs")
    shown.start(*trials[3:])
    assert shown.run(trials[3], 120).endswith("about 4 min left\n")


def test_a_damaged_record_leaves_the_time_left_unknown_and_the_display_whole(planned, tmp_path):
    suite, trials = planned
    broken = tmp_path / "runs" / suite.name / "trials" / "0" / "env" / "record.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    shown = Shown(suite, trials, runs=tmp_path / "runs")
    shown.start()
    assert "  1/6 ok" in shown.run(trials[0], 5)


def test_the_bar_counts_down(planned):
    shown = Shown(*planned, terminal=True)
    shown.start()
    for trial in shown.trials[:2]:
        shown.run(trial, 600)
    shown.progress.ftbench_trial_started(shown.trials[2])
    shown.now += 300
    shown.progress.ftbench_suite_finished()
    assert "about 35 min left" in shown.out.getvalue().split("2/6")[-1]


def test_after_ctrl_c_nothing_is_left_of_the_run(planned):
    shown = Shown(*planned)
    shown.start()
    for trial in shown.trials[:3]:
        shown.run(trial, 60)
    shown.progress.ftbench_trial_started(shown.trials[3])
    shown.progress.ftbench_run_interrupted([shown.trials[3]], immediate=False)
    assert shown.out.getvalue().endswith("then stopping; Ctrl-C again stops now\n")
    assert "left" not in shown.run(shown.trials[3], 60)


def test_the_answer_to_ctrl_c_names_what_is_finished_or_stopped(planned):
    one, *others = of(planned[1], "bitfit")
    assert (
        interruption_line([one], immediate=False) == "finishing bitfit · seed 0, then stopping; Ctrl-C again stops now"
    )
    assert (
        interruption_line([one, *others], immediate=False)
        == "finishing 3 trials, then stopping; Ctrl-C again stops now"
    )
    assert interruption_line([], immediate=False) == "stopping before the next trial; Ctrl-C again stops now"
    assert interruption_line([one], immediate=True) == "stopping bitfit · seed 0 now; run again to resume"
    assert interruption_line([], immediate=True) == "stopping now; run again to resume"
