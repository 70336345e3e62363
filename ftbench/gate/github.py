"""Report a gate to GitHub Actions: annotations on standard output, the step summary, step outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..formatting import collapsed
from .checks import most_severe_first, several_backbones
from .formats import SUMMARY, markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .checks import Check
    from .formats import Gated

MOST = 10
"""Maximum annotations of one level that GitHub shows per step."""
_LEVELS = {
    "not comparable": "error",
    "missing": "error",
    "regressed": "error",
    "inconclusive": "warning",
    "changed": "notice",
}


def annotate(checks: Sequence[Check], file: str | None = None) -> list[str]:
    """Return an annotation per check that counts and is not ok, at most ten of a level, the most severe first.

    Args:
        checks: the checks of a gate.
        file: the suite file that annotations refer to, if known.
    """
    checks, backbone = list(checks), several_backbones(checks)
    by_level: dict[str, list[Check]] = {}
    for check in most_severe_first(checks):
        if check.gating and check.verdict in _LEVELS:
            by_level.setdefault(_LEVELS[check.verdict], []).append(check)
    found = []
    for level, listed in by_level.items():
        shown = listed if len(listed) <= MOST else listed[: MOST - 1]
        found += [
            annotation(level, f"ftbench gate: {check.verdict}", collapsed(check.finding(backbone=backbone)), file)
            for check in shown
        ]
        if len(listed) > MOST:
            found.append(annotation(level, "ftbench gate", f"and {len(listed) - len(shown)} more; see the log", file))
    return found


def annotation(level: str, title: str, message: str, file: str | None = None) -> str:
    """Return one workflow command, escaped as the Actions runner expects."""
    properties = {**({"file": file} if file else {}), "title": title}
    return f"::{level} {','.join(f'{key}={_property(value)}' for key, value in properties.items())}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_summary(gated: Gated, environment: Mapping[str, str] = os.environ) -> None:
    """Append the checks to the step summary, up to GitHub's limit, and the verdict to the step outputs."""
    summary, output = environment.get("GITHUB_STEP_SUMMARY"), environment.get("GITHUB_OUTPUT")
    if summary:
        path = Path(summary)
        used = path.stat().st_size if path.exists() else 0
        if SUMMARY - used > 2048:
            _append(path, markdown(gated, SUMMARY - used, job_link(environment)))
    if output:
        _append(Path(output), f"verdict={gated.verdict}\n")


def job_link(environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the running job on GitHub or GitLab, which keeps its log and files; empty elsewhere."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (environment.get(name) for name in names)
    if server and repository and run:
        return f"{server}/{repository}/actions/runs/{run}"
    return environment.get("CI_JOB_URL", "")


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
