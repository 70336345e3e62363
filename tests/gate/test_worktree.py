"""A plugin at a revision of its repository, beside the working copy and without a trace afterwards."""

import subprocess

import pytest
from ftbench import UserError
from ftbench.gate.worktree import at_revision


def git(folder, *arguments):
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "plugin.py").write_text("first")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "plugin.py").write_text("second")
    (folder / "later.py").write_text("later")
    return folder


def test_a_file_is_read_as_it_was_and_the_working_copy_stays(repository):
    with at_revision(repository / "plugin.py", "HEAD") as there:
        assert there.read_text() == "first"
        assert (repository / "plugin.py").read_text() == "second"
    assert not there.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_no_hook_of_the_repository_is_run(repository):
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository}/was-run\n")
    hook.chmod(0o755)
    with at_revision(repository / "plugin.py", "HEAD"):
        pass
    assert not (repository / "was-run").exists()


@pytest.mark.parametrize(
    ("name", "revision", "said"),
    [
        ("later.py", "HEAD", "has no later.py; there is nothing to compare with yet"),
        ("plugin.py", "nowhere", "--base nowhere: no such commit here"),
        ("plugin.py", "--help", "--base --help: no such commit here"),
    ],
)
def test_a_revision_that_is_not_there_is_a_line_and_leaves_nothing(repository, name, revision, said):
    with pytest.raises(UserError) as caught, at_revision(repository / name, revision):
        raise AssertionError
    (line,) = caught.value.mistakes
    assert said in line
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_folder_that_is_in_no_repository_and_a_machine_without_git_are_a_line(tmp_path, monkeypatch):
    (tmp_path / "plugin.py").write_text("")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="is not in a git repository"), at_revision(tmp_path / "plugin.py", "HEAD"):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not on the path"), at_revision(tmp_path / "plugin.py", "HEAD"):
        pass
