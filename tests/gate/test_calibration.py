"""A run held against itself, seed against seed: its noise, and how often that is an alarm."""

import json

import numpy as np
import pytest
from ftbench.errors import RunError
from ftbench.gate.calibration import calibrate, seeds_for, write_calibration
from ftbench.records.record_set import read_record_set
from ftbench.suite.suite import Gate

from tests.support.made_runs import copied, of, record_paths, rewrite, set_value


def many_seeds(three_seeds, folder, scores):
    """Make a run of as many seeds as there are scores: strategy → one a seed."""
    run = copied(three_seeds / "runs" / "tiny", folder)
    (run / "plan.json").unlink()
    first = {}
    for path in record_paths(run):
        record = json.loads(path.read_text())
        if record["trial"]["seed"] == 0:
            first[record["trial"]["strategy"]["label"]] = (path, record)
        else:
            path.unlink()
    for strategy, values in scores.items():
        path, record = first[strategy]
        for seed, value in enumerate(values):
            record["trial"]["seed"] = seed
            set_value(record, "accuracy", value)
            target = path.parents[2] / f"{strategy}{seed}" / path.parent.name / "record.json"
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(record))
        path.unlink()
    return run


@pytest.fixture
def noisy(three_seeds, tmp_path):
    rng = np.random.default_rng(0)
    scores = {"full": rng.normal(0.8, 0.01, 60), "lora": rng.normal(0.7, 0.02, 60)}
    return many_seeds(three_seeds, tmp_path / "tiny", scores), scores


def test_noise_is_the_deviation_of_seeds_against_others_pooled_over_strategies(noisy):
    run, scores = noisy
    found = calibrate(read_record_set(run), Gate()).noise["digits"]["accuracy"]
    each = {name: np.std(values[30:] - values[:30], ddof=1) for name, values in scores.items()}
    assert found.strategies == pytest.approx(each)
    assert found.s_d == pytest.approx(np.sqrt(np.mean(np.square(list(each.values())))))
    assert found.n == 30
    assert found.pairing == "re-seeded: seed i with seed i + 30"


def test_ten_blocks_of_seeds_give_twenty_gates_and_few_alarms(noisy):
    found = calibrate(read_record_set(noisy[0]), Gate())
    assert found.gates == found.noise["digits"]["accuracy"].gates == 20
    assert found.alarms <= 1
    assert seeds_for(10, Gate()) == 60


def test_an_alarm_is_counted_where_seeds_differ_for_real(noisy):
    run, _ = noisy
    fall = {seed: 0.5 + 0.001 * seed for seed in (3, 4, 5)} | {seed: 0.9 + 0.001 * seed for seed in (0, 1, 2)}
    rewrite(run, lambda record: set_value(record, "accuracy", fall.get(record["trial"]["seed"], 0.7)), where=of("lora"))
    found = calibrate(read_record_set(run), Gate())
    assert found.alarms == found.noise["digits"]["accuracy"].alarms == 1


def test_too_few_seeds_failures_and_data_of_each_seeds_own_are_refused(noisy, three_seeds):
    run, _ = noisy
    with pytest.raises(RunError, match="3 seeds are too few to calibrate; 6 allow one simulated gate, 60 allow ten"):
        calibrate(read_record_set(three_seeds / "runs" / "tiny"), Gate())
    rewrite(run, lambda record: record["provenance"]["splits"].update(digits=str(record["trial"]["seed"])))
    with pytest.raises(RunError, match=r'each seed has its own data: .*: "0", "1", "2", "3", and 26 more → '):
        calibrate(read_record_set(run), Gate())
    rewrite(
        run,
        lambda record: record.update(status="error", failure={"kind": "E", "message": "m", "traceback": None}),
        where=of("lora", 4),
    )
    with pytest.raises(RunError, match=r"lora on digits \(tiny-vit\), seed 4: error"):
        calibrate(read_record_set(run), Gate())


def test_the_file_says_target_metric_and_noise(noisy):
    run, _ = noisy
    found = calibrate(read_record_set(run), Gate())
    path = write_calibration(found, run)
    table = json.loads(path.read_text())
    assert path == run / "calibration.json"
    assert table.pop("schema") == "ftbench.calibration/1"
    table = table["noise"]
    assert set(table) == {"digits"}
    assert set(table["digits"]["accuracy"]) == {"s_d", "n", "pairing", "strategies", "gates", "alarms"}
    assert table["digits"]["accuracy"]["s_d"] == found.noise["digits"]["accuracy"].s_d


def test_the_command_measures_what_is_there_and_travels_in_a_bundle(ftbench, noisy, tmp_path):
    run, _ = noisy
    done = ftbench("gate", run, "--calibrate", check=0)
    assert "digits: accuracy: s_d 0.0" in done.stdout
    assert "of 20 gates, without any change" in done.stdout
    ftbench("bundle", run, "-o", "b.zip", check=0)
    for arguments, mistake in (
        (("b.zip", "--calibrate"), "not a run directory"),
        ((run, "--calibrate", "--baseline", run), "--baseline does not go with --calibrate"),
        ((run, "--calibrate", "--repetitions", "2"), "--repetitions and --run go together"),
        ((run, "--repetitions", "2", "--baseline", run), "--repetitions goes with --calibrate"),
    ):
        done = ftbench("gate", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert mistake in done.stderr


@pytest.mark.slow
def test_the_command_runs_as_many_seeds_as_the_repetitions_take(ftbench, tiny_suite, tmp_path):
    suite = tiny_suite(("frozen",), extra="[gate]\nlooks = [3]\n")
    done = ftbench("gate", "runs/tiny", "--calibrate", "--run", suite, "--repetitions", "1", check=0)
    assert len(read_record_set(tmp_path / "runs" / "tiny").seeds) == 6
    assert "over 3 pairs (re-seeded: seed i with seed i + 3; frozen " in done.stdout
    assert "of 2 gates, without any change" in done.stdout
    assert "is too few" not in done.stderr
    assert (
        "the run directory of suite 'tiny' must have the same name"
        in ftbench("gate", "runs/x", "--calibrate", "--run", suite, "--repetitions", "1", check=2).stderr
    )
