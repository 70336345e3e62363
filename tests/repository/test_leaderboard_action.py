"""The action of the leaderboard and the workflow of its README: well-formed, safe, and run here as GitHub would run it."""

import os
import re
import subprocess

import pytest
import yaml

from tests.conftest import FTBENCH, ROOT
from tests.support.made_runs import bundled, copied, of, rewrite

ACTION = yaml.safe_load(
    (ROOT / ".github" / "actions" / "ftbench-leaderboard" / "action.yml").read_text(encoding="utf-8")
)
(SHOWN,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "reports" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
WORKFLOW = yaml.safe_load(SHOWN)


def used(name):
    return [
        step
        for job in WORKFLOW["jobs"].values()
        for step in job["steps"]
        if step.get("uses", "").partition("@")[0] == name
    ]


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


def action(folder):
    """Run the step of the action with the inputs of the workflow, as GitHub's runner does."""
    (asked,), (step,) = used("./.github/actions/ftbench-leaderboard"), ACTION["runs"]["steps"]
    given = {
        f"inputs.{name}": asked["with"].get(name, about.get("default", "")) for name, about in ACTION["inputs"].items()
    }
    environment = {
        name: re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda match: given[match[1]], text)
        for name, text in step["env"].items()
    }
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if not (tools / "ftbench").exists():
        (tools / "ftbench").symlink_to(FTBENCH)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **environment},
    )


def test_the_action_describes_and_uses_every_input_and_pastes_none_into_a_script():
    (step,) = ACTION["runs"]["steps"]
    assert all(about["description"] and "default" in about for about in ACTION["inputs"].values())
    assert {*re.findall(r"inputs\.([\w-]+)", str(step["env"]))} == {*ACTION["inputs"]}
    assert "${{" not in step["run"]
    assert {*re.findall(r"\$\{?(\w+)", step["run"])} <= {*step["env"], "mark", "field", "arguments", "code"}


def test_the_workflow_checks_pull_requests_with_no_rights_and_publishes_the_main_branch():
    assert set(WORKFLOW[True]) == {"pull_request", "push"}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["jobs"]["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert WORKFLOW["jobs"]["publish"]["if"] == "github.event_name == 'push'"
    (upload,) = used("actions/upload-pages-artifact")
    assert upload["if"] == "github.event_name == 'push'"
    assert upload["with"]["path"] == used("./.github/actions/ftbench-leaderboard")[0]["with"]["site"]
    for job in WORKFLOW["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(
                r"\./\.github/actions/ftbench-leaderboard|actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1")
            )
            assert "${{" not in step.get("run", "")


def test_results_become_a_site_and_what_does_not_verify_is_red(run, ftbench, tmp_path):
    ftbench("leaderboard", "add", "tiny", "results", check=0)
    done = action(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "runs: 1, numbers: " in done.stdout
    assert (tmp_path / "site" / "index.html").exists()
    (bundle,) = (tmp_path / "results").iterdir()
    rewrite(run, lambda record: record["trial"]["strategy"].update(label="x\n::error::forged"), where=of("lora"))
    bundled(run, bundle)
    done = action(tmp_path)
    assert done.returncode == 2
    assert (
        done.stdout.splitlines()[-1]
        == "::error title=ftbench leaderboard::the results could not be verified; see the log for details"
    )
    assert not any(line.startswith("::error::forged") for line in (done.stdout + done.stderr).splitlines())
