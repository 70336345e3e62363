"""Trials side by side: each on cores of its own, the same scores to the last bit, and no word on how long they took."""

import json
import os

import pytest
from ftbench import UserError
from ftbench.notebook import read_run
from ftbench.runner.slots import open_slots
from ftbench.suite.suite import Machine

TELLS = """
import os
from dataclasses import dataclass
from ftbench import Strategy, hookimpl

@dataclass
class Tells(Strategy):
    def prepare(self, learner, bench):
        print("cores", sorted(os.sched_getaffinity(0)), flush=True)
        learner.freeze_backbone()

@hookimpl
def ftbench_strategies():
    return {"tells": Tells}
"""
SIDE_BY_SIDE = 'meters = ["parameters", "time"]\nquality_only = true'
two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")


@two_cores
@pytest.mark.slow
def test_two_workers_give_what_one_gives_each_on_a_core_of_its_own(tiny_suite, ftbench, tmp_path):
    (tmp_path / "tells.py").write_text(TELLS)
    suite = tiny_suite(("full", "frozen", "tells"), seeds="[0, 1]", measure=SIDE_BY_SIDE)
    ftbench("-p", "tells.py", "run", suite, "--runs", "one", "--no-report", check=0)
    suite.write_text(suite.read_text().replace("threads = 1", "threads = 1\nworkers = 2"))
    ftbench(
        "-p",
        "tells.py",
        "run",
        suite,
        "--runs",
        "two",
        "--no-report",
        check=0,
        env={"FTBENCH_CACHE": str(tmp_path / "cache")},
    )
    one, two = ({r.id: r for r in read_run(tmp_path / runs / "tiny")} for runs in ("one", "two"))
    assert one.keys() == two.keys()
    for key, record in one.items():
        for name in ("accuracy", "loss"):
            assert record.measurement(name).value == two[key].measurement(name).value is not None
        assert [c.points[-1]["loss"] for c in record.curves] == [c.points[-1]["loss"] for c in two[key].curves]
        for name in ("wall_time", "charged_time", "train_time", "throughput", "cost"):
            assert two[key].measurement(name).value is None
            assert "side by side" in two[key].measurement(name).reason
        assert two[key].measurement("trainable_parameters").value > 0
        assert record.environment == two[key].environment
    logs = [path.read_text() for path in (tmp_path / "two").rglob("output.log")]
    cores = [
        json.loads(line.removeprefix("cores "))
        for log in logs
        for line in log.splitlines()
        if line.startswith("cores ")
    ]
    assert len(cores) == 2
    assert all(len(own) == 1 for own in cores)


def test_more_workers_than_cores_are_refused():
    cores = len(os.sched_getaffinity(0))
    with (
        pytest.raises(
            UserError,
            match=rf"machine.workers: {cores} workers of 2 threads need {2 * cores} cores, and this process may use {cores}",
        ),
        open_slots("cpu", Machine(workers=cores, threads=2)),
    ):
        pass


@two_cores
def test_workers_have_cores_of_their_own_and_one_alone_has_all():
    with open_slots("cpu", Machine(workers=2, threads=1)) as slots:
        assert {len(slot.cores) for slot in slots} == {1}
        assert len({slot.cores for slot in slots}) == 2
    with open_slots("cpu", Machine(threads=1)) as slots:
        assert [slot.cores for slot in slots] == [()]


def test_workers_without_quality_only_are_a_mistake_of_the_suite(tiny_suite, ftbench):
    suite = tiny_suite(("full",))
    suite.write_text(suite.read_text().replace("threads = 1", "threads = 1\nworkers = 2"))
    done = ftbench("validate", suite, check=2)
    assert (
        "machine.workers: 2 trials side by side disturb each other's measurements; set measure.quality_only = true"
        in done.stderr
    )
