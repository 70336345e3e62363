"""How the numbers of a page came about, in sentences that are true of its records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ftbench import Summary
    from ftbench.reporting import Contender


def protocol(summary: Summary) -> list[str]:
    """Describe what was equal for all, and which weights were scored."""
    everyone = [c for target in summary.targets for c in target.contenders]
    said = ["Every strategy saw the same training examples in the same batches, and for a seed in the same order."]
    said += filter(None, (_items(everyone), _weights(everyone), _rates(everyone)))
    return said


def statistics(summary: Summary) -> list[str]:
    """Describe how differences were judged."""
    margin = f"± {100 * summary.statistics.margin:g} points" + (
        " where the suite says nothing else" if summary.statistics.margins else ""
    )
    said = [
        "A difference is the mean paired difference over shared seeds, with its t interval, on this test set.",
        "“On new items” covers seeds and test items together; items of one speaker or document count as one.",
        (
            "Verdicts compare all pairs of a task, the leaderboard compares with the baseline, both by paired t-tests "
            "with Holm’s correction; “statistically tied” and “undecided” mean that no difference was shown."
        ),
        f"“Equivalent” means the 90 % interval is within the margin: {margin} of a share, else the suite's.",
        "Under three seeds nothing is claimed.",
    ]
    return said + [f"{remark[0].upper()}{remark[1:]}." for remark in summary.remarks if remark]


def left_out(summary: Summary) -> list[str]:
    """Describe trials that are in no mean, and retries."""
    total, done = sum(summary.statuses.values()), summary.statuses.get("ok", 0)
    again = sum(trial.attempts > 1 for trial in summary.trials)
    said = ["All trials left a score; none was left out."]
    if done < total:
        said = [f"{total - done} of {total} trials have no score: none is in a mean, each is a row of the leaderboard."]
    said.append(f"{again} trials took more than one attempt." if again else "No trial was tried more than once.")
    return said


def _items(everyone: Iterable[Contender]) -> str:
    keys = [{found.key for found in c.items.values()} for c in everyone if len(c.items) > 1]
    if not keys:
        return ""
    if all(len(found) == 1 for found in keys):
        return "Test items are the same for all seeds."
    return "Each seed was tested on items of its own, where the suite divides a task into folds."


def _weights(everyone: Iterable[Contender]) -> str:
    kept = _values(everyone, "keep")
    if kept == {"last"}:
        return "The weights scored are the last ones."
    if kept == {"best"}:
        return (
            "The weights scored are those that were best on the validation split, by "
            f"{_listed(_values(everyone, 'watch')) or 'loss'}."
        )
    return (
        "The weights scored are the last ones, or those that were best on the validation split: see “What differs”."
        if kept
        else ""
    )


def _rates(everyone: Iterable[Contender]) -> str:
    rates = sorted(float(rate) for rate in _values(everyone, "lr"))
    if not rates:
        return ""
    if len(rates) == 1:
        return f"Everyone’s learning rate is {rates[0]:g}."
    return (
        f"Learning rates are each strategy’s own, from {rates[0]:g} to {rates[-1]:g}: a column of the leaderboard has "
        "them."
    )


def _values(everyone: Iterable[Contender], name: str) -> set[str]:
    """Return the values of a field of the training protocol among contenders with scores."""
    return {
        str(json.loads(c.settings[f"training.{name}"]))
        for c in everyone
        if c.statuses.get("ok") and f"training.{name}" in c.settings
    }


def _listed(values: Iterable[str]) -> str:
    return " or ".join(sorted(values)).replace("_", " ")
