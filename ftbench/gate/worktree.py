"""A plugin as it stands at a revision of its git repository."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def at_revision(path: Path, revision: str) -> Iterator[Path]:
    """Give a file or folder of a git repository as it stands at `revision`, in a worktree that is taken away afterwards.

    No hook of the repository is run.

    Raises:
        UserError: git is missing, the path is in no repository, or the revision is unknown or has no such path.
    """
    top = Path(_git(path.parent, f"{path}: is in no git repository", "rev-parse", "--show-toplevel")).resolve()
    unknown = f"--base {revision}: no such commit here; a job that fetches one commit only needs its history too (fetch-depth: 0)"
    commit = _git(top, unknown, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    inside = path.resolve().relative_to(top)
    with TemporaryDirectory(prefix="ftbench-base-") as folder:
        tree = Path(folder) / "tree"
        # What a job that was killed left behind.
        _git(top, f"--base {revision}: cannot be checked out", "worktree", "prune")
        _git(
            top,
            f"--base {revision}: cannot be checked out",
            "-c",
            "core.hooksPath=/dev/null",
            "worktree",
            "add",
            "--detach",
            str(tree),
            commit,
        )
        try:
            if not (tree / inside).exists():
                raise UserError(f"--base {revision}: has no {inside}; there is nothing to compare with yet")
            yield tree / inside
        finally:
            _git(top, f"{tree}: cannot be taken away", "worktree", "remove", "--force", str(tree))


def _git(folder: Path, mistake: str, *arguments: str) -> str:
    """Run git; where it fails, that is the user's mistake.

    Raises:
        UserError: it failed, or is not there.
    """
    # What a hook of git sets would lead to another repository than the folder's.
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and a revision cannot be taken for an option
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the git of the user's path
            capture_output=True,
            text=True,
            env=inherited,
            check=False,
        )
    except OSError:
        raise UserError("git is not on the path, and --plugin needs it") from None
    if done.returncode:
        detail = done.stderr.strip().splitlines()
        raise UserError(f"{mistake}: {detail[-1]}" if detail else mistake)
    return done.stdout.strip()
