"""Check out a plugin at a revision of its git repository."""

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
    """Yield a file or folder of a git repository at `revision`, in a temporary worktree.

    No git hook is run.

    Raises:
        UserError: git is missing, the path is not in a repository, or the revision is unknown or has no such path.
    """
    top = Path(_git(path.parent, f"{path}: is not in a git repository", "rev-parse", "--show-toplevel")).resolve()
    unknown = (
        f"--base {revision}: no such commit here; a job with a shallow clone needs the history too (fetch-depth: 0)"
    )
    commit = _git(top, unknown, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    inside = path.resolve().relative_to(top)
    with TemporaryDirectory(prefix="ftbench-base-") as folder:
        tree = Path(folder) / "tree"
        # Remove worktrees of killed jobs.
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
            _git(top, f"{tree}: cannot be removed", "worktree", "remove", "--force", str(tree))


def _git(folder: Path, mistake: str, *arguments: str) -> str:
    """Run git and return its output.

    Raises:
        UserError: git failed, or is not installed.
    """
    # Inside a git hook, these variables would select another repository than the folder's.
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
