"""Public names of earlier versions and their new places, so that older plugins keep running for one version."""

from __future__ import annotations

import ast
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOVED = {
    "ANSWERS": ("ftbench.tasks", "OUTPUT_TYPES"),
    "Accounting": ("ftbench.meters", "Accounting"),
    "Answer": ("ftbench", "OutputType"),
    "Augmentable": ("ftbench.tasks", "Augmentable"),
    "Card": ("ftbench", "ModelCard"),
    "ClassScores": ("ftbench.reporting", "ClassScores"),
    "ClassificationTask": ("ftbench.tasks", "ClassificationTask"),
    "Comparison": ("ftbench.stats", "Comparison"),
    "Contender": ("ftbench.reporting", "Contender"),
    "Curve": ("ftbench.reporting", "Curve"),
    "DeviceProbe": ("ftbench.meters", "DeviceProbe"),
    "DeviceProcess": ("ftbench.meters", "DeviceProcess"),
    "DeviceState": ("ftbench.meters", "DeviceState"),
    "Difference": ("ftbench.stats", "Difference"),
    "Direction": ("ftbench.meters", "Direction"),
    "DrawnClassificationTask": ("ftbench.tasks", "DrawnClassificationTask"),
    "Effect": ("ftbench.stats", "Effect"),
    "Errors": ("ftbench.reporting", "Errors"),
    "Estimate": ("ftbench.stats", "Estimate"),
    "Exhibit": ("ftbench.reporting", "Preview"),
    "Exhibits": ("ftbench.reporting", "Previews"),
    "Failure": ("ftbench.reporting", "Failure"),
    "Fingerprint": ("ftbench.reporting", "Fingerprint"),
    "Finished": ("ftbench", "FinishedTrial"),
    "Flaw": ("ftbench.tasks", "Flaw"),
    "Ground": ("ftbench.meters", "StageData"),
    "Group": ("ftbench.reporting", "Group"),
    "Inspectable": ("ftbench.tasks", "Inspectable"),
    "Inspected": ("ftbench.tasks", "Inspected"),
    "Interval": ("ftbench.stats", "Interval"),
    "Item": ("ftbench.tasks", "Item"),
    "Leaderboard": ("ftbench.reporting", "Leaderboard"),
    "ListedTable": ("ftbench.tasks", "ListedTable"),
    "LossPoint": ("ftbench.reporting", "LossPoint"),
    "MultiLabelTask": ("ftbench.tasks", "MultiLabelTask"),
    "OwnClassification": ("ftbench.tasks", "UserClassification"),
    "OwnData": ("ftbench.tasks", "UserData"),
    "Phase": ("ftbench.meters", "Phase"),
    "Point": ("ftbench.reporting", "Point"),
    "PublishedRun": ("ftbench.reporting", "PublishedRun"),
    "Quantity": ("ftbench.reporting", "Quantity"),
    "Ranking": ("ftbench.reporting", "Ranking"),
    "Reads": ("ftbench", "InputSpec"),
    "RegressionTask": ("ftbench.tasks", "RegressionTask"),
    "Remote": ("ftbench.backbones", "Remote"),
    "Repository": ("ftbench.backbones", "Repository"),
    "Retention": ("ftbench.reporting", "Retention"),
    "Samples": ("ftbench.meters", "Samples"),
    "Selection": ("ftbench.plugins", "Selection"),
    "Series": ("ftbench.reporting", "Series"),
    "Severity": ("ftbench.tasks", "Severity"),
    "Snapshot": ("ftbench.backbones", "Snapshot"),
    "Sound": ("ftbench.tasks", "Sound"),
    "Span": ("ftbench.meters", "Span"),
    "Spent": ("ftbench.reporting", "Spent"),
    "Table": ("ftbench.tasks", "Table"),
    "Target": ("ftbench.reporting", "TaskColumn"),
    "TrialLine": ("ftbench.reporting", "TrialLine"),
    "Try": ("ftbench.reporting", "TuningTrial"),
    "Tuned": ("ftbench.reporting", "Tuned"),
    "Verdict": ("ftbench.stats", "Verdict"),
    "account": ("ftbench.meters", "account"),
    "adjusted": ("ftbench.stats", "adjusted"),
    "against": ("ftbench.reporting", "against"),
    "as_text": ("ftbench.tasks", "as_text"),
    "benjamini_hochberg": ("ftbench.stats", "benjamini_hochberg"),
    "calibration_error": ("ftbench.tasks", "calibration_error"),
    "check_data": ("ftbench.tasks", "check_data"),
    "compare_all": ("ftbench.stats", "compare_all"),
    "compare_with": ("ftbench.stats", "compare_with"),
    "count": ("ftbench.reporting", "count"),
    "detectable": ("ftbench.stats", "detectable"),
    "digest": ("ftbench.fingerprint", "digest"),
    "draw": ("ftbench.tasks", "draw"),
    "effect": ("ftbench.stats", "effect"),
    "estimate": ("ftbench.stats", "estimate"),
    "f1": ("ftbench.stats", "f1"),
    "file_sha256": ("ftbench.fingerprint", "file_sha256"),
    "holm": ("ftbench.stats", "holm"),
    "is_hub_id": ("ftbench.backbones", "is_hub_id"),
    "list_files": ("ftbench.tasks", "list_files"),
    "lower_bound": ("ftbench.stats", "lower_bound"),
    "macro_f1": ("ftbench.stats", "macro_f1"),
    "metric": ("ftbench.tasks", "metric"),
    "nvml": ("ftbench.meters", "nvml"),
    "paired": ("ftbench.stats", "paired"),
    "percent": ("ftbench.reporting", "percent"),
    "places_of": ("ftbench.reporting", "places_of"),
    "point_interval": ("ftbench.reporting", "point_interval"),
    "power_of": ("ftbench.stats", "power_of"),
    "pseudo_values": ("ftbench.stats", "pseudo_values"),
    "quantity": ("ftbench.reporting", "quantity"),
    "ratio": ("ftbench.stats", "ratio"),
    "read_sha256": ("ftbench.fingerprint", "read_sha256"),
    "remembered": ("ftbench.fingerprint", "remembered"),
    "rows": ("ftbench.reporting", "rows"),
    "score_text": ("ftbench.reporting", "score_text"),
    "seeds_for": ("ftbench.stats", "seeds_for"),
    "share_interval": ("ftbench.reporting", "share_interval"),
    "share_range": ("ftbench.reporting", "share_range"),
    "step_range": ("ftbench.reporting", "step_range"),
    "step_text": ("ftbench.reporting", "step_text"),
    "step_unit": ("ftbench.reporting", "step_unit"),
    "suggestion": ("ftbench.errors", "suggestion"),
    "summarise": ("ftbench.reporting", "summarise"),
    "tuning_cost": ("ftbench.reporting", "tuning_cost"),
    "tuning_verdict": ("ftbench.reporting", "tuning_verdict"),
    "upper_bound": ("ftbench.stats", "upper_bound"),
    "valued": ("ftbench.reporting", "valued"),
    "visible_gpus": ("ftbench.meters", "visible_gpus"),
}
"""Former name in `ftbench` → (module, name)."""

DOORS = frozenset({place for place, _ in MOVED.values()} - {"ftbench"})
_MOVED = frozenset(MOVED.values())
_FORMER = {now: former for former, (_, now) in MOVED.items() if former != now}


def under_former_names(tree: ast.Module) -> None:
    """Rewrite a module's imports from ftbench, in place, as they were before names moved or changed.

    Neither the name of what is imported nor its place changes what code computes, so neither may change a trial's id.
    """
    former: dict[str, str] = {}
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = list(_joined(body, former))  # type: ignore[attr-defined]  # it has a body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = former.get(node.id, node.id)


def _joined(body: list[ast.stmt], former: dict[str, str]) -> Iterator[ast.stmt]:
    for public, statements in groupby(body, _is_public):
        imports = list(statements)
        names = [alias for one in imports if public and isinstance(one, ast.ImportFrom) for alias in one.names]
        from_doors = any(isinstance(one, ast.ImportFrom) and one.module in DOORS for one in imports)
        if not public or not (from_doors or _FORMER.keys() & {alias.name for alias in names}):
            yield from imports
            continue
        former.update(
            {alias.name: _FORMER[alias.name] for alias in names if alias.name in _FORMER and alias.asname is None}
        )
        aliases = [ast.alias(_FORMER.get(alias.name, alias.name), alias.asname) for alias in names]
        yield ast.ImportFrom("ftbench", sorted(aliases, key=lambda alias: _place(alias.name)), 0)


def _is_public(statement: ast.stmt) -> bool:
    """Return whether a statement imports from `ftbench`, or names that moved from there and no others."""
    if not isinstance(statement, ast.ImportFrom) or statement.level:
        return False
    return statement.module == "ftbench" or all((statement.module, alias.name) in _MOVED for alias in statement.names)


def _place(name: str) -> tuple[bool, bool, str]:
    """Return where import sorters put a name: constants, classes, functions."""
    return not name.isupper(), not name[0].isupper(), name
