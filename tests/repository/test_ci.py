"""The action and the workflows of the README: well-formed, safe, and run here as GitHub would run them."""

import json
import os
import re
import shutil
import stat
import subprocess

import pytest
import yaml

from tests.conftest import FTBENCH, ROOT
from tests.support.in_process import run_in
from tests.support.made_runs import copied, of, rewrite, set_value

ACTION = yaml.safe_load((ROOT / ".github" / "actions" / "ftbench-gate" / "action.yml").read_text(encoding="utf-8"))
SHOWN = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
WORKFLOWS = [yaml.safe_load(text) for text in SHOWN]
FAKE_GH = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["GH_CALLS"], "a") as stream:
    stream.write(json.dumps(sys.argv[1:]) + "\\n")
if "--paginate" in sys.argv:
    print(os.environ["GH_EARLIER"], end="")
if "user" in sys.argv:
    print(os.environ["GH_USER"], end="")
    sys.exit(not os.environ["GH_USER"])
if "--method" in sys.argv:
    sys.exit(int(os.environ["GH_POSTED"]))
"""


def steps(workflow):
    (job,) = workflow["jobs"].values()
    return job["steps"]


def gates(workflow):
    return [step for step in steps(workflow) if step.get("uses") == "./.github/actions/ftbench-gate"]


def filled(text, values):
    """Put values in the place of ${{ expressions }}."""
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda match: str(values[match[1]]), text)


class Runner:
    """Runs the steps of the composite action as GitHub's runner does."""

    def __init__(self, folder, **github):
        self.folder = folder
        tools = folder / "tools"
        tools.mkdir()
        (tools / "gh").write_text(FAKE_GH)
        (tools / "gh").chmod((tools / "gh").stat().st_mode | stat.S_IXUSR)
        (tools / "ftbench").symlink_to(FTBENCH)
        (folder / "temporary").mkdir()
        self.values = {
            "github.repository": "o/r",
            "github.event.number": 7,
            "github.token": "t",
            "github.base_ref": "",
            "runner.temp": folder / "temporary",
            **github,
        }
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GH_CALLS": str(folder / "calls"),
            "GH_EARLIER": "",
            "GH_USER": "",
            "GH_POSTED": "0",
        }

    def action(self, inputs):
        """Run both steps; gives what the first printed and its exit code."""
        given = {
            name: str(value).lower() if isinstance(value, bool) else filled(str(value), self.values)
            for name, value in inputs.items()
        }
        values = {
            f"inputs.{name}": given.get(name, about.get("default", "")) for name, about in ACTION["inputs"].items()
        } | self.values
        first, self.commented = (self.step(step, values) for step in ACTION["runs"]["steps"])
        assert self.commented.returncode == 0, self.commented.stderr
        return first

    def step(self, step, values):
        environment = {name: filled(text, values) for name, text in step["env"].items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=280,
        )

    def calls(self):
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def project(three_seeds, tmp_path):
    """A checkout with a suite, its finished run and a baseline, by the names the README's workflow has."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "quickstart.toml").write_text(
        (three_seeds / "tiny.toml").read_text().replace('name = "tiny"', 'name = "quickstart"')
    )
    copied(three_seeds / "runs" / "tiny", folder / "runs" / "quickstart")
    rewrite(folder / "runs" / "quickstart", lambda record: record["trial"].update(suite="quickstart"))
    run_in(folder, "bundle", "runs/quickstart", "-o", "baseline.zip", check=0)
    return folder


def test_the_action_is_well_formed_and_every_input_is_described_and_used():
    assert ACTION["runs"]["using"] == "composite"
    text = json.dumps(ACTION["runs"])
    for name, about in ACTION["inputs"].items():
        assert about["description"]
        assert about.get("required") or "default" in about
        assert f"inputs.{name} " in text, name
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert set(re.findall(r"\$\{?(\w+)", step["run"])) <= {
            *step["env"],
            "name",
            "field",
            "fields",
            "folder",
            "mark",
            "author",
            "own",
            "earlier",
            "sent",
            "why",
            "arguments",
        }


def test_no_input_is_pasted_into_a_script():
    scripts = [step["run"] for step in ACTION["runs"]["steps"]] + [
        s["run"] for w in WORKFLOWS for s in steps(w) if "run" in s
    ]
    assert not [script for script in scripts if "${{" in script]


def test_every_option_the_action_gives_exists(ftbench):
    known = ftbench("gate", "--help", check=0).stdout
    script = ACTION["runs"]["steps"][0]["run"]
    own = "\n".join(line for line in script.splitlines() if not re.search(r"\b(git|diff)\b", line))
    options = set(re.findall(r"--[a-z][a-z-]+", own))
    assert {
        "--github",
        "--junit",
        "--markdown",
        "--baseline",
        "--plugin",
        "--base",
        "--run",
        "--strict",
        "--allow-drift",
    } == options
    assert all(option in known for option in options)


def test_the_workflows_name_what_there_is():
    assert len(WORKFLOWS) == 2
    for workflow in WORKFLOWS:
        assert True in workflow  # what YAML reads `on` as
        (gate,) = gates(workflow)
        assert set(gate["with"]) <= set(ACTION["inputs"])
        assert {name for name, about in ACTION["inputs"].items() if about.get("required")} <= set(gate["with"])
        for step in steps(workflow):
            assert ("uses" in step) != ("run" in step)
            if "uses" in step and not step["uses"].startswith("./"):
                assert re.fullmatch(r"actions/(checkout|setup-python|upload-artifact)@v\d+", step["uses"])
    assert WORKFLOWS[0]["permissions"]["pull-requests"] == "write"


def test_every_other_command_of_the_workflows_runs(tmp_path):
    (tmp_path / "requirements.txt").write_text("")
    for workflow in WORKFLOWS:
        for step in steps(workflow):
            if "run" in step:
                command = step["run"].replace(
                    "pip install", f"'{FTBENCH.parent / 'python'}' -m pip install --dry-run --no-index"
                )
                done = subprocess.run(
                    ["bash", "-eo", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60
                )
                assert done.returncode == 0, done.stderr


def test_the_suites_workflow_is_green_where_nothing_changed_and_comments_once(project):
    runner = Runner(project)
    (gate,) = gates(WORKFLOWS[0])
    done = runner.action(gate["with"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "output").read_text() == "verdict=ok\n"
    assert (project / "summary.md").read_text() == (project / "ftbench-gate.md").read_text()
    assert "<testsuites" in (project / "ftbench-gate.xml").read_text()
    who, asked, posted = runner.calls()
    assert who == ["api", "user", "--jq", ".login"]
    assert asked[:3] == ["api", "--paginate", "repos/o/r/issues/7/comments"]
    # Anybody can write a comment with this first line; only the job's own is replaced.
    mine = '.user.login == "github-actions[bot]" and (.body | startswith("<!-- ftbench gate -->"))'
    assert asked[-1] == f".[] | select({mine}) | .url"
    assert posted == [
        "api",
        "--method",
        "POST",
        "repos/o/r/issues/7/comments",
        "--field",
        "body=@ftbench-gate.md",
        "--silent",
    ]
    runner.environment["GH_EARLIER"] = "https://api/1\nhttps://api/2\n"
    runner.action(gate["with"])
    assert runner.calls()[-1] == [
        "api",
        "--method",
        "PATCH",
        "https://api/2",
        "--field",
        "body=@ftbench-gate.md",
        "--silent",
    ]


def test_a_token_that_may_not_comment_leaves_the_job_green_and_says_so(project):
    runner = Runner(project)
    runner.environment |= {"GH_POSTED": "1", "GH_USER": "somebody"}
    (gate,) = gates(WORKFLOWS[0])
    assert runner.action(gate["with"]).returncode == 0
    assert '.user.login == "somebody" and' in runner.calls()[1][-1]
    assert runner.commented.stdout.startswith("::warning title=ftbench gate::no comment was posted: ")


@pytest.fixture
def pull_request(project):
    """The project as a checkout of a pull request, whose base branch has the baseline."""
    from tests.end_to_end.test_planted import git

    git(project, "init", "-q", "-b", "main")
    git(project, "add", "quickstart.toml", "baseline.zip")
    git(project, "commit", "-q", "-m", "first")
    git(project, "remote", "add", "origin", str(project / ".git"))
    git(project, "checkout", "-q", "-b", "change")
    return project


def test_a_pull_request_cannot_change_what_it_is_compared_with(pull_request):
    from tests.end_to_end.test_planted import git

    fallen = pull_request / "runs" / "quickstart"
    rewrite(fallen, lambda record: set_value(record, "accuracy", 0.001 * record["trial"]["seed"]), where=of("lora"))
    run_in(pull_request, "bundle", "runs/quickstart", "-o", "baseline.zip", check=0)
    git(pull_request, "commit", "-q", "-a", "-m", "another baseline")
    (gate,) = gates(WORKFLOWS[0])
    done = Runner(pull_request, **{"github.base_ref": "main"}).action(gate["with"])
    assert done.returncode == 3, done.stdout + done.stderr
    assert "::warning title=ftbench gate::baseline.zip differs from that of main, which is used" in done.stdout


def test_a_baseline_that_the_base_branch_lacks_is_used_with_a_warning(pull_request):
    from tests.end_to_end.test_planted import git

    git(pull_request, "mv", "baseline.zip", "first.zip")
    git(pull_request, "commit", "-q", "-m", "move")
    (gate,) = gates(WORKFLOWS[0])
    done = Runner(pull_request, **{"github.base_ref": "main"}).action({**gate["with"], "baseline": "first.zip"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "::warning title=ftbench gate::first.zip is not in main yet; that of this pull request is used" in done.stdout
    )


def test_results_that_are_committed_are_refused(pull_request):
    from tests.end_to_end.test_planted import git

    git(pull_request, "add", "--force", "runs")
    git(pull_request, "commit", "-q", "-m", "results")
    (gate,) = gates(WORKFLOWS[0])
    done = Runner(pull_request, **{"github.base_ref": "main"}).action(gate["with"])
    assert done.returncode == 2
    assert "runs/quickstart is committed" in done.stdout


def test_the_suites_workflow_is_red_where_a_score_fell(project):
    rewrite(
        project / "runs" / "quickstart",
        lambda record: set_value(record, "accuracy", 0.001 * record["trial"]["seed"]),
        where=of("lora"),
    )
    (gate,) = gates(WORKFLOWS[0])
    done = Runner(project).action(gate["with"])
    assert done.returncode == 3
    assert "::error file=quickstart.toml,title=ftbench gate%3A regressed::accuracy of lora on digits" in done.stdout
    assert (project / "output").read_text() == "verdict=regressed\n"


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"suite": "quickstart.toml"}, 2, "with --baseline, or a plugin with --plugin"),
        ({"suite": "nowhere.toml", "baseline": "baseline.zip"}, 2, "no such file"),
        ({"suite": "quickstart.toml", "baseline": "a; touch harm $(touch harm)"}, 2, "no such run directory or bundle"),
        ({"suite": "quickstart.toml", "plugin": "$(touch harm).py", "base": "HEAD"}, 2, "no such file or folder"),
        ({"suite": "quickstart.toml", "baseline": "baseline.zip", "run": "elsewhere"}, 2, "is not its run directory"),
        (
            {
                "suite": "quickstart.toml",
                "baseline": "baseline.zip",
                "strict": True,
                "allow-drift": "software.python hardware",
            },
            0,
            "ok",
        ),
    ],
)
def test_wrong_inputs_end_in_one_annotation_and_harm_nothing(project, inputs, code, said):
    done = Runner(project).action(inputs)
    assert done.returncode == code, done.stderr
    assert said in done.stdout
    assert not (project / "harm").exists()
    if code == 2:
        assert done.stdout.count("::error ") == 1
        assert done.stderr.startswith("error: ")


@pytest.mark.thorough
@pytest.mark.slow
def test_the_action_runs_the_suite_where_it_was_not_run(project):
    shutil.rmtree(project / "runs")
    (gate,) = gates(WORKFLOWS[0])
    done = Runner(project).action({**gate["with"], "strict": True})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 checks: 20 ok" in done.stdout


@pytest.mark.thorough
@pytest.mark.slow
def test_the_methods_workflow_runs_a_plugin_next_to_its_base(tmp_path, tiny_suite):
    from tests.end_to_end.test_planted import git, planted

    folder = tmp_path / "method"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "my_method.py").write_text(planted())
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    (folder / "my_method.py").write_text(planted("head"))
    shutil.copy(tiny_suite(("planted-head",), measure='meters = ["parameters"]'), folder / "suite.toml")
    runner = Runner(folder, **{"github.base_ref": "main"})
    (gate,) = gates(WORKFLOWS[1])
    done = runner.action(gate["with"])
    assert done.returncode == 3, done.stderr
    assert (
        "::error file=suite.toml,title=ftbench gate%3A regressed::trainable_parameters of planted-head" in done.stdout
    )
    assert (folder / "output").read_text() == "verdict=regressed\n"


def test_this_repositorys_workflows_are_yaml():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert yaml.safe_load(path.read_text())["jobs"]
