"""Mistakes planted in real strategies: each turns the gate red and is named; what is unchanged stays green."""

import os
import re
import signal
import subprocess
import time

import pytest

from tests.conftest import EXAMPLES, FTBENCH

SUITE = """
name = "{name}"
seeds = {seeds}
profile = "smoke"
[training]
epochs = {epochs}
batch_size = 16
[machine]
threads = 1
[measure]
meters = ["parameters", "time"]
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits"
train_size = {train}
validation_size = 20
test_size = {test}
{strategies}
"""
PLUGIN = (EXAMPLES / "planted.py").read_text(encoding="utf-8")


def planted(*mistakes):
    return PLUGIN.replace("MADE = ()", f"MADE = {tuple(mistakes)!r}")


def suite(folder, name, strategies, *, seeds, epochs=2, train=100, test=100):
    entries = "".join(f'[[strategy]]\nuse = "{use}"\n' for use in strategies)
    path = folder / f"{name}.toml"
    path.write_text(SUITE.format(name=name, seeds=seeds, epochs=epochs, train=train, test=test, strategies=entries))
    return path


def verdicts(text):
    """Read the metrics of each verdict and strategy from what the gate printed."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"([\w ]+): (\w+) of ([\w-]+) on digits: (.*)", line)
        if match:
            found.setdefault((match[3], match[1]), {})[match[2]] = match[4]
    return found


def git(folder, *arguments):
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, env={**os.environ, **who})


@pytest.fixture
def repository(tmp_path):
    """A repository of a plugin without mistakes, in a folder of its own."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "method.py").write_text(planted())
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.mark.slow
def test_mistakes_in_what_is_exact_are_found_on_one_seed(ftbench, tmp_path):
    path = suite(tmp_path, "counts", ("planted-lora", "planted-loader", "planted-head", "frozen"), seeds="[0]")
    for folder, mistakes in (("base", ()), ("head", ("lora-frozen", "loader", "head"))):
        (tmp_path / "planted.py").write_text(planted(*mistakes))
        ftbench("-p", "planted.py", "run", path, "--runs", folder, "--no-report", check=0)
    done = ftbench("gate", "head/counts", "--baseline", "base/counts", check=3)
    found = verdicts(done.stdout)
    assert found["planted-lora", "regressed"]["trainable_parameters"].startswith(
        "must be equal: 17,674 parameters → 9,482 parameters (-46.4 %)"
    )
    assert found["planted-loader", "regressed"] == {
        "planned_steps": "must be equal: 14 steps → 12 steps (-14.3 %) on 1 of 1 seed"
    }
    assert (
        found["planted-head", "regressed"]["trainable_head_parameters"]
        == "must be equal: 1,290 parameters → 2,580 parameters (+100.0 %) on 1 of 1 seed"
    )
    assert not any(strategy == "frozen" and verdict != "not checked" for strategy, verdict in found)


@pytest.mark.slow
def test_an_adapter_with_a_wrong_scale_is_found_by_its_score(ftbench, tmp_path):
    path = suite(tmp_path, "scores", ("planted-adapter",), seeds="[0, 1, 2]", epochs=4)
    for folder, mistakes in (("base", ()), ("head", ("adapter",))):
        (tmp_path / "planted.py").write_text(planted(*mistakes))
        ftbench("-p", "planted.py", "run", path, "--runs", folder, "--no-report", check=0)
    done = ftbench("gate", "head/scores", "--baseline", "base/scores", check=3)
    found = verdicts(done.stdout)
    assert set(found["planted-adapter", "regressed"]) == {"accuracy"}
    assert re.search(
        r"\(−\d\d\.\d points, allowed −1\.0\); 95 % interval \[.*\] over 3 pairs, p 0\.\d+",
        found["planted-adapter", "regressed"]["accuracy"],
    )


@pytest.mark.thorough
def test_a_strategy_that_waits_at_every_step_is_found_slower_twice(ftbench, repository):
    path = suite(repository, "speed", ("planted-slow",), seeds="[0]", epochs=4)
    (repository / "method.py").write_text(planted("slow"))
    done = ftbench("gate", path, "--plugin", "method.py", "--base", "HEAD", "--junit", "j.xml", cwd=repository, check=3)
    found = verdicts(done.stdout)
    assert set(found) == {("planted-slow", "regressed")}
    message = found["planted-slow", "regressed"]["throughput"]
    assert re.search(r"-\d+\.\d % \[.*\] over 5 pairs run in turn, p .*, margin 5 %; the first time", message)
    order = [line.split()[0] for line in done.stderr.splitlines() if "seed" in line]
    assert order == [
        "base",
        "head",
        "head",
        "base",
        "base",
        "head",
        "head",
        "base",
        "base",
        "head",
        *(f"{side}-again" for side in ("base", "head", "head", "base", "base", "head", "head", "base", "base", "head")),
    ]
    assert "slower: planted-slow on digits (tiny-vit); running again" in done.stderr
    listed = subprocess.run(["git", "-C", repository, "worktree", "list"], capture_output=True, text=True).stdout
    assert listed.count("\n") == 1


@pytest.mark.thorough
def test_a_plugin_that_is_a_folder_is_loaded_from_both_revisions(ftbench, repository):
    package = repository / "methods"
    package.mkdir()
    (package / "__init__.py").write_text('"""Methods."""\nfrom .method import ftbench_strategies\n')
    (package / "method.py").write_text(planted())
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "a folder")
    (package / "method.py").write_text(planted("head"))
    path = suite(repository, "folder", ("planted-head",), seeds="[0]")
    done = ftbench("gate", path, "--plugin", "methods", "--base", "HEAD", cwd=repository, check=3)
    assert "trainable_head_parameters" in verdicts(done.stdout)["planted-head", "regressed"]


@pytest.mark.thorough
def test_an_unchanged_plugin_is_green(ftbench, repository):
    (repository / "method.py").write_text(planted() + "\n# a comment changes nothing\n")
    path = suite(repository, "same", ("planted-slow",), seeds="[0]")
    done = ftbench("gate", path, "--plugin", repository / "method.py", "--base", "HEAD~0", cwd=repository, check=0)
    assert not any(verdict in ("regressed", "changed", "missing") for _, verdict in verdicts(done.stdout))


@pytest.mark.thorough
@pytest.mark.slow
def test_an_interrupted_gate_ends_after_the_running_trial_and_leaves_no_worktree(repository):
    (repository / "method.py").write_text(planted("slow"))
    git(repository, "commit", "-q", "-a", "-m", "trials of some seconds, which a signal cannot miss")
    path = suite(repository, "long", ("planted-slow",), seeds="[0]", epochs=15)
    call = [FTBENCH, "gate", path, "--plugin", "method.py", "--base", "HEAD"]
    process = subprocess.Popen(
        call, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr.readline().startswith("base ")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert [line.split()[0] for line in rest.splitlines() if "seed" in line] == ["head"]
    listed = subprocess.run(["git", "-C", repository, "worktree", "list"], capture_output=True, text=True).stdout
    assert listed.count("\n") == 1


def test_what_is_wrong_with_a_plugin_or_revision_is_one_line(ftbench, repository, tmp_path):
    path = suite(repository, "s", ("planted-head",), seeds="[0]")
    (repository / "other.py").write_text(planted())
    cases = (
        (("--plugin", "method.py"), "--plugin needs --base"),
        (("--base", "HEAD"), "--base goes with --plugin"),
        (("--plugin", "nowhere.py", "--base", "HEAD"), "no such file or folder"),
        (("--plugin", "method.py", "--base", "nowhere"), "no such commit here"),
        (("--plugin", "method.py", "--base", "--help"), "no such commit here"),
        (("--plugin", "other.py", "--base", "HEAD"), "has no other.py; there is nothing to compare with yet"),
        (("--plugin", "method.py", "--base", "HEAD", "--baseline", "."), "--baseline does not go with --plugin"),
    )
    for arguments, mistake in cases:
        done = ftbench("gate", path, *arguments, cwd=repository)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert mistake in done.stderr
    (tmp_path / "lonely.py").write_text(planted())
    done = ftbench("gate", path, "--plugin", tmp_path / "lonely.py", "--base", "HEAD", cwd=repository)
    assert "is not in a git repository" in done.stderr
    (repository / "method.py").write_text("import nothing_of_that_name\n")
    done = ftbench("gate", path, "--plugin", "method.py", "--base", "HEAD", cwd=repository)
    assert (done.returncode, "No module named 'nothing_of_that_name'" in done.stderr) == (2, True)


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_every_mistake_is_found_in_one_job_and_nothing_else(ftbench, repository):
    strategies = ("planted-lora", "planted-adapter", "planted-loader", "planted-head", "planted-slow", "frozen")
    path = suite(repository, "all", strategies, seeds="[0, 1, 2]", epochs=6, train=200, test=300)
    (repository / "method.py").write_text(planted("lora-lost", "adapter", "loader", "head", "slow"))
    done = ftbench(
        "gate", path, "--plugin", "method.py", "--base", "HEAD", "--all", cwd=repository, check=3, timeout=880
    )
    found = verdicts(done.stdout)
    expected = {
        "planted-lora": "accuracy",
        "planted-adapter": "accuracy",
        "planted-loader": "planned_steps",
        "planted-head": "trainable_head_parameters",
        "planted-slow": "throughput",
    }
    for strategy, metric in expected.items():
        assert metric in found[strategy, "regressed"], (strategy, done.stdout)
    assert {verdict for strategy, verdict in found if strategy == "frozen"} <= {"ok", "inconclusive"}
    assert "accuracy" in found["frozen", "ok"]
