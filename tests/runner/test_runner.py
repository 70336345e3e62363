"""Real runs of suites: resume, failures, interruptions, identical predictions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ftbench
import pytest
from ftbench import load_records
from ftbench.notebook import read_run

from tests.conftest import EXAMPLES, FTBENCH
from tests.support.in_process import run_in


def records(run):
    return {(r.trial["strategy"]["label"], r.trial["seed"]): r for r in read_run(run)}


def predictions(run):
    return {path.parts[-3]: path.read_bytes() for path in sorted(Path(run).glob("trials/*/*/predictions.jsonl.gz"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of four trials, and its suite."""
    from tests.conftest import QUICK, TINY

    folder = tmp_path_factory.mktemp("finished")
    strategies = "".join(f'[[strategy]]\nuse = "{s}"\n' for s in ("full", "frozen"))
    suite = folder / "tiny.toml"
    suite.write_text(
        TINY.format(measure=QUICK, name="tiny", seeds="[0, 1]", steps=6, limit="2m", strategies=strategies)
    )
    done = run_in(folder, "run", suite, check=0)
    return suite, folder / "runs" / "tiny", done


def test_a_run_leaves_a_record_predictions_and_reports(finished):
    _, run, done = finished
    found = records(run)
    assert set(found) == {("full", 0), ("full", 1), ("frozen", 0), ("frozen", 1)}
    for record in found.values():
        assert record.status == "ok"
        assert 0 <= record.measurement("accuracy").value <= 1
        assert sum(map(sum, record.confusion["digits"])) == 60
        assert record.classes["digits"] == tuple("0123456789")
        assert {"load", "train", "evaluate"} <= {phase.name for phase in record.phases}
    assert len(predictions(run)) == 4
    assert all(
        (run / name).stat().st_size > 100 for name in ("report.html", "report.md", "report.csv", "suite.lock.toml")
    )
    assert "report: runs/tiny/report.html" in done.stdout.replace(os.sep, "/")


def test_phases_leave_nothing_of_the_wall_time_out(finished):
    for record in records(finished[1]).values():
        wall = record.measurement("wall_time").value
        names = [phase.name for phase in record.phases]
        assert names[:3] == ["start", "load", "other"]
        assert {"prepare", "warm-up", "train", "validate", "finish", "evaluate", "save", "probe", "exit"} <= set(names)
        # Two clocks: the trial's own, and the runner's, which times the process from start to end.
        assert sum(phase.seconds for phase in record.phases) == pytest.approx(wall, rel=0.01)


def test_splits_and_order_are_the_same_for_every_strategy_and_test_items_for_every_seed(finished):
    found = records(finished[1])
    assert len({json.dumps(r.provenance["splits"]) for r in found.values()}) == 1
    for seed in (0, 1):
        assert len({json.dumps(found[s, seed].provenance["orders"]) for s in ("full", "frozen")}) == 1
    assert found["full", 0].provenance["orders"] != found["full", 1].provenance["orders"]


def test_trainable_parameters_are_head_and_backbone_apart(finished):
    full, frozen = records(finished[1])["full", 0], records(finished[1])["frozen", 0]
    assert full.measurement("trainable_parameters").value == full.measurement("inference_parameters").value == 540_170
    assert frozen.measurement("trainable_backbone_parameters").value == 0
    assert frozen.measurement("trainable_head_parameters").value == 128 * 10 + 10


def test_what_a_cpu_cannot_measure_is_null_with_a_reason(finished):
    record = records(finished[1])["full", 0]
    for name in ("peak_allocated_memory", "energy", "peak_device_memory", "mean_power"):
        reading = record.measurement(name)
        assert reading.value is None
        assert reading.reason


def test_the_same_command_again_has_nothing_to_do_and_imports_no_torch(finished):
    suite, run, _ = finished
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    code = """
import sys
from ftbench.cli import main
sys.argv = ['ftbench', 'run', sys.argv[1]]
try: main()
except SystemExit as e: print('exit', e.code)
print([m for m in ('torch', 'scipy', 'sklearn', 'transformers', 'pandas') if m in sys.modules])
"""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, suite], cwd=suite.parent, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    assert "nothing to do: 4 of 4 trials are done" in done.stdout
    assert "exit 0\n[]" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before
    assert seconds < 5  # a second on an idle machine; `make benchmarks` measures it


def test_a_suite_that_grew_runs_only_what_is_new(finished, tmp_path):
    import shutil

    suite, run, _ = finished
    shutil.copytree(run, tmp_path / "runs" / "tiny")
    before = {p.parts[-3]: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("record.json")}
    grown = tmp_path / "tiny.toml"
    grown.write_text(suite.read_text() + '[[strategy]]\nuse = "bitfit"\n')
    run_in(tmp_path, "run", grown, check=0)
    after = {p.parts[-3]: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("record.json")}
    assert len(after) == 6
    assert {key: after[key] for key in before} == before


@pytest.mark.thorough
def test_two_runs_give_bit_identical_predictions(finished, tmp_path):
    suite, run, _ = finished
    done = subprocess.run(
        [FTBENCH, "run", suite, "--runs", tmp_path], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0
    assert predictions(tmp_path / "tiny") == predictions(run)


def _until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_failed_trial_stays_failed_and_the_exit_code_with_it(tiny_suite, ftbench):
    suite = tiny_suite(
        ('[[strategy]]\nuse = "misbehaving"\n',) and [('[[strategy]]\nuse = "misbehaving"\n',), "frozen"]
    )
    assert ftbench("-p", EXAMPLES / "misbehaving.py", "run", suite).returncode == 1
    again = ftbench("-p", EXAMPLES / "misbehaving.py", "run", suite)
    assert again.returncode == 1
    assert "nothing to do" in again.stdout


def test_a_third_partys_strategy_runs_from_one_file(tiny_suite, ftbench, tmp_path):
    suite = tiny_suite(("norm-tuning",))
    done = ftbench("-p", EXAMPLES / "norm_tuning.py", "run", suite, check=0)
    record = records(tmp_path / "runs" / "tiny")["norm-tuning", 0]
    assert record.measurement("trainable_backbone_parameters").value == (4 * 2 + 1) * 2 * 128
    assert "norm-tuning" in done.stdout


@pytest.fixture
def on_a_terminal(tmp_path):
    """Start a command in a process group of its own: a terminal sends Ctrl-C to the whole group."""
    started = []

    def start(arguments):
        runner = subprocess.Popen(
            list(map(str, arguments)),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(runner)
        return runner

    yield start
    for runner in started:
        runner.kill()
        runner.communicate()


def test_two_runners_on_one_folder_are_told_apart(tiny_suite, ftbench, tmp_path):
    suite = tiny_suite(("full", "frozen", "bitfit"), steps=60)
    first = subprocess.Popen(
        [FTBENCH, "run", suite], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _until((tmp_path / "runs" / "tiny" / "suite.lock.toml").exists, 120)
    second = ftbench("run", suite)
    assert second.returncode == 2
    assert "another `ftbench run` is writing here" in second.stderr
    assert first.wait(120) == 0


def test_ctrl_c_finishes_the_trial_under_way_and_the_rest_can_go_on(tiny_suite, ftbench, tmp_path, on_a_terminal):
    suite = tiny_suite(("full", "frozen", "bitfit"), steps=60)
    runner = on_a_terminal([FTBENCH, "run", suite])
    # The server that trials are forked from is still starting, in the terminal's process group as well.
    _until(lambda: list((tmp_path / "runs").rglob("spec.json")), 120)
    os.killpg(runner.pid, signal.SIGINT)
    line = runner.stderr.readline()
    assert line == "finishing full · seed 0, then stopping; Ctrl-C again stops now\n"
    assert not list((tmp_path / "runs").rglob("record.json")), "the answer does not wait for the trial"
    assert runner.stderr.readline().startswith("  1/3 ok digits · tiny-vit · full · seed 0")
    assert runner.stderr.read() == ""
    assert runner.wait(120) == 130
    assert len(list((tmp_path / "runs").rglob("record.json"))) == 1
    assert ftbench("run", suite).returncode == 0
    assert len(list((tmp_path / "runs").rglob("record.json"))) == 3


def test_ctrl_c_twice_stops_the_trial_under_way_and_it_can_be_run_again(tmp_path, on_a_terminal):
    from tests.faults.quick_suite import command, write

    runner = on_a_terminal(command("run", write(tmp_path, pause=60.0)))
    _until(lambda: list(tmp_path.rglob("events.jsonl")), 120)
    os.killpg(runner.pid, signal.SIGINT)
    assert runner.stderr.readline().startswith("finishing v0 · seed 0, then stopping")
    os.killpg(runner.pid, signal.SIGINT)
    assert runner.stderr.readline() == "stopping v0 · seed 0 now; run again to resume\n"
    assert runner.wait(120) == 130
    assert not list(tmp_path.rglob("record.json"))
    (ended,) = tmp_path.rglob("ended.json")
    assert json.loads(ended.read_text())["status"] == "cancelled"


def test_ctrl_c_twice_stops_a_trial_whose_process_is_still_being_started(tmp_path, on_a_terminal):
    from tests.faults.quick_suite import call, command, write

    runner = on_a_terminal(command("run", write(tmp_path)))
    _until(lambda: list(tmp_path.rglob("spec.json")), 120)
    for _ in range(2):
        os.killpg(runner.pid, signal.SIGINT)
        assert "v0 · seed 0" in runner.stderr.readline()
    assert runner.wait(120) == 130
    assert not list(tmp_path.rglob("events.jsonl")), "nobody waited until libraries were imported"
    (ended,) = tmp_path.rglob("ended.json")
    assert json.loads(ended.read_text())["status"] == "cancelled"
    call(tmp_path, "run", "quick.toml", "--no-report", check=0)
    assert len(list(tmp_path.rglob("record.json"))) == 1


@pytest.mark.thorough
def test_ctrl_c_says_how_many_trials_it_finishes(tmp_path, on_a_terminal):
    from tests.faults.quick_suite import command, write

    suite = write(tmp_path, pause=1.0, variants=4)
    suite.write_text(suite.read_text().replace("[machine]", "[machine]\nworkers = 2"))
    suite.write_text(suite.read_text().replace("[measure]", "[measure]\nquality_only = true"))
    runner = on_a_terminal(command("run", suite, "--no-report"))
    _until(lambda: len(list(tmp_path.rglob("events.jsonl"))) == 2, 120)
    os.killpg(runner.pid, signal.SIGINT)
    assert runner.stderr.readline() == "finishing 2 trials, then stopping; Ctrl-C again stops now\n"
    assert runner.wait(120) == 130
    assert len(list(tmp_path.rglob("record.json"))) == 2


def test_a_sequence_yields_its_matrix_and_the_untrained_model_forgets_nothing(ftbench, tmp_path):
    suite = tmp_path / "sequence.toml"
    suite.write_text("""
name = "sequence"
seeds = [0]
profile = "smoke"
[training]
steps = 20
batch_size = 8
[machine]
threads = 1
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits-0-4"
train_size = 40
validation_size = 10
test_size = 100
alone = false
[[task]]
use = "digits-5-9"
train_size = 40
validation_size = 10
test_size = 100
alone = false
[[sequence]]
label = "low-high"
tasks = ["digits-0-4", "digits-5-9"]
[[strategy]]
use = "full"
[[strategy]]
use = "none"
[[strategy]]
use = "ewc"
[[strategy]]
use = "distillation"
""")
    ftbench("run", suite, check=0)
    found = {label: record for (label, _), record in records(tmp_path / "runs" / "sequence").items()}
    for record in found.values():
        (first, none), (last, second) = record.retention.matrix
        assert none is None
        assert record.measurement("forgetting").value == pytest.approx(first - last)
        assert record.measurement("backward_transfer").value == pytest.approx(last - first)
        assert record.measurement("accuracy").value == pytest.approx((last + second) / 2)
        assert record.measurement("accuracy", "digits-0-4").value == last
    assert found["none"].measurement("forgetting").value == 0
    assert found["full"].retention.matrix[0] == found["ewc"].retention.matrix[0]
    assert "fisher" in {phase.name for phase in found["ewc"].phases}
    assert "teacher" in {phase.name for phase in found["distillation"].phases}


def test_each_gpu_has_a_trial_of_its_own_at_the_same_time(tiny_suite, tmp_path, monkeypatch):
    """With two fake GPUs, trials fail because there is no CUDA, but two start at a time, each on its own GPU."""
    from ftbench import Plugins, hookimpl
    from ftbench.plugins import Selection
    from ftbench.runner.runner import run_suite
    from ftbench.runner.trial_process import TrialLauncher
    from ftbench.suite.parser import read_suite

    heard, given = [], []

    class Observer:
        @hookimpl
        def ftbench_trial_started(self, trial):
            heard.append("started")

        @hookimpl
        def ftbench_trial_finished(self, trial, record):
            heard.append("finished")

    for module in ("runner.local_plan", "runner.slots", "environment"):
        monkeypatch.setattr(f"ftbench.{module}.visible_gpus", lambda: [0, 1])
    for name in ("gpu_uuid", "cuda_name"):
        monkeypatch.setattr(f"ftbench.runner.slots.{name}", lambda index: f"GPU-{index}")
    monkeypatch.setattr("ftbench.environment.describe_gpu", lambda index: {"name": "made up"})
    start = TrialLauncher.start

    def listening(self, folder, variables, *cores):
        given.append(variables["CUDA_VISIBLE_DEVICES"])
        return start(self, folder, variables, *cores)

    monkeypatch.setattr(TrialLauncher, "start", listening)
    plugins = Plugins.discover()
    plugins.register(Observer(), "observer")
    suite = read_suite(tiny_suite(("full", "frozen", "bitfit", "lora")), plugins.catalog())
    outcome = run_suite(suite, plugins, Selection(), tmp_path / "runs")
    assert set(outcome.statuses.values()) == {"error"}
    assert heard[:2] == ["started", "started"]
    running = [heard[: n + 1].count("started") - heard[: n + 1].count("finished") for n in range(len(heard))]
    assert max(running) == 2
    assert given[:2] == ["GPU-0", "GPU-1"]
    assert len(given) == 4


def test_a_notebook_runs_a_table_and_reads_a_data_frame(tiny_suite, tmp_path):
    import tomllib

    table = tomllib.loads(tiny_suite(("frozen",)).read_text())
    folder = ftbench.run(table, runs=tmp_path / "runs")
    frame = load_records(folder)
    assert frame.loc[0, ["target", "backbone", "strategy", "seed", "status"]].tolist() == [
        "digits",
        "tiny-vit",
        "frozen",
        0,
        "ok",
    ]
    assert 0 <= frame.loc[0, "accuracy"] <= 1
    assert frame.loc[0, "trainable_parameters"] == 1290


def test_not_applicable_cells_are_rows_and_no_failure(ftbench, tmp_path, model_folder, tiny_suite):
    suite = tiny_suite(
        ("prefix", "frozen"),
        steps=2,
        extra=f'[[backbone]]\nuse = "transformers"\nlabel = "resnet"\npath = "{model_folder("resnet")}"\n',
    )
    ftbench("run", suite, check=0)
    found = {
        (r.trial["backbone"]["label"], r.trial["strategy"]["label"]): r.status
        for r in read_run(tmp_path / "runs" / "tiny")
    }
    assert found == {
        ("tiny-vit", "prefix"): "ok",
        ("tiny-vit", "frozen"): "ok",
        ("resnet", "prefix"): "not-applicable",
        ("resnet", "frozen"): "ok",
    }
    assert "resnet has no attention modules" in (tmp_path / "runs" / "tiny" / "report.html").read_text()


RAISING = '''"""Meters outside the trial that raise."""
from ftbench import Meter, hookimpl


class AtStart(Meter):
    """Raises at once."""

    where = "runner"

    def start(self, watch):
        raise RuntimeError("no such instrument")

    def stop(self):
        return []


class AtStop(AtStart):
    """Raises at the end."""

    def start(self, watch):
        pass

    def stop(self):
        raise RuntimeError("the instrument broke")


@hookimpl
def ftbench_meters():
    return {"at-start": AtStart, "at-stop": AtStop}
'''


@pytest.mark.parametrize(
    ("meter", "message"), [("at-start", "no such instrument"), ("at-stop", "the instrument broke")]
)
def test_a_meter_of_the_runner_that_raises_ends_its_trial_and_not_the_run(
    ftbench, tiny_suite, tmp_path, meter, message
):
    (tmp_path / "raising.py").write_text(RAISING)
    suite = tiny_suite(("frozen",), seeds="[0, 1]", steps=2, measure=f'meters = ["{meter}"]')
    ftbench("-p", tmp_path / "raising.py", "run", suite, check=1)
    for record in read_run(tmp_path / "runs" / "tiny"):
        assert (record.status, record.failure.message) == ("error", f"a meter raised: {message}")
        assert record.measurement("accuracy").value is not None
