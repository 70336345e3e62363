"""Whatever is killed, and whenever: the same command resumes, with the results of an undisturbed run."""

import os
import signal
from collections import Counter

import pytest
from ftbench.notebook import read_run

from tests.faults.killing import MARK, comparable, half_written, running, soak, until, victim
from tests.faults.quick_suite import call, start, write


@pytest.mark.slow
def test_a_trial_its_server_and_the_runner_are_killed_and_all_ends_as_if_nothing_had_been(tmp_path):
    write(tmp_path, variants=4, steps=4, pause=0.25)
    call(tmp_path, "run", "quick.toml", "--runs", "undisturbed", "--no-report", check=0)
    environment = {**os.environ, MARK: str(tmp_path)}
    runner = start(tmp_path, "run", "quick.toml", env=environment)
    run = tmp_path / "runs" / "quick"

    def trial(attempts):
        """Return the process of the running trial once so many attempts have emitted an event."""
        begun = len(list(run.glob("trials/*/*/attempts/*/events.jsonl")))
        return victim(runner, "trial") if begun >= attempts else None

    first = until(lambda: trial(1))
    os.kill(first.pid, signal.SIGKILL)
    second = until(lambda: (found := trial(2)) and found.pid != first.pid and found)
    os.kill(victim(runner, "server").pid, signal.SIGKILL)
    third = until(lambda: (found := trial(3)) and found.pid != second.pid and found)
    assert second.pid not in {process.pid for process in running(str(tmp_path))}
    assert third.pid != second.pid
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    until(lambda: not running(str(tmp_path)))

    assert call(tmp_path, "run", "quick.toml", check=0)
    records = read_run(run)
    assert [record.status for record in records] == ["ok"] * 4
    assert sorted(one.kind for record in records for one in record.earlier) == ["RunnerGone", "SIGKILL", "ServerGone"]
    assert {one.status for record in records for one in record.earlier} == {"infra"}
    assert comparable(run) == comparable(tmp_path / "undisturbed" / "quick")
    assert not half_written(run)
    page = (run / "report.html").read_text()
    for why in (
        "killed from outside by SIGKILL",
        "the process that trials are forked from was killed",
        "the runner ended before it",
    ):
        assert f"machine failed: {why}" in page


KILLS = int(os.environ.get("FTBENCH_KILLS", "200"))


@pytest.mark.thorough
@pytest.mark.timeout(3000)
def test_two_hundred_kills_at_random_times_change_nothing(tmp_path):
    write(tmp_path, variants=4, seeds=6, steps=4, pause=0.1, retries=10)
    call(tmp_path, "run", "quick.toml", "--runs", "undisturbed", "--no-report", check=0)
    expected = comparable(tmp_path / "undisturbed" / "quick")
    assert len(expected) == 24
    kills, attempts, rounds = Counter(), 0, 0
    for run, counts in soak(tmp_path, KILLS, 0, str(tmp_path)):
        rounds += 1
        kills += counts
        attempts += sum(record.attempts for record in read_run(run))
        assert comparable(run) == expected
        assert not half_written(run)
        until(lambda: not running(str(tmp_path)))
        print(f"\nrun {rounds}: {dict(counts)}", flush=True)
    print(f"{sum(kills.values())} kills ({dict(kills)}) in {rounds} runs of 24 trials: {attempts} attempts")
    assert sum(kills.values()) == KILLS
    assert min(kills.values()) > KILLS / 10
