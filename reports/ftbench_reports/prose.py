"""Describe in sentences how the numbers of a page were computed, as its records show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ftbench import Summary
    from ftbench.reporting import Contender


def protocol(summary: Summary) -> list[str]:
    """Describe what was equal for all contenders, and which weights were scored."""
    contenders = [c for target in summary.targets for c in target.contenders]
    sentences = ["Every strategy saw the same training examples in the same batches, and for a seed in the same order."]
    sentences += filter(None, (_items(contenders), _weights(contenders), _rates(contenders)))
    return sentences


def statistics(summary: Summary) -> list[str]:
    """Describe how differences were tested."""
    margin = f"± {100 * summary.statistics.margin:g} points" + (
        " unless the suite sets another" if summary.statistics.margins else ""
    )
    sentences = [
        "A difference is the mean paired difference over shared seeds, with its t interval, on this test set.",
        "“On new items” covers seeds and test items together; items of one speaker or document count as one.",
        (
            "Verdicts compare all pairs of a task, the leaderboard compares with the baseline, both by paired t-tests "
            "with Holm’s correction; “statistically tied” and “undecided” mean that no difference was shown."
        ),
        f"“Equivalent” means the 90 % interval is within the margin: {margin} for shares, otherwise the suite’s.",
        "No claim is made with fewer than three seeds.",
    ]
    return sentences + [f"{remark[0].upper()}{remark[1:]}." for remark in summary.remarks if remark]


def left_out(summary: Summary) -> list[str]:
    """Describe trials that are in no mean, and retries."""
    total, done = sum(summary.statuses.values()), summary.statuses.get("ok", 0)
    again = sum(trial.attempts > 1 for trial in summary.trials)
    sentences = ["All trials have a score; none was left out."]
    if done < total:
        sentences = [
            f"{total - done} of {total} trials have no score: they enter no mean, and the leaderboard lists them."
        ]
    sentences.append(f"{again} trials took more than one attempt." if again else "No trial took more than one attempt.")
    return sentences


def _items(contenders: Iterable[Contender]) -> str:
    keys = [{found.key for found in c.items.values()} for c in contenders if len(c.items) > 1]
    if not keys:
        return ""
    if all(len(found) == 1 for found in keys):
        return "Test items are the same for all seeds."
    return "If the suite divides a task into folds, each seed was tested on different items."


def _weights(contenders: Iterable[Contender]) -> str:
    kinds = _values(contenders, "keep")
    if kinds == {"last"}:
        return "The weights scored are the last ones."
    if kinds == {"best"}:
        return (
            "The weights scored are those that were best on the validation split, by "
            f"{_listed(_values(contenders, 'watch')) or 'loss'}."
        )
    return (
        "The weights scored are the last ones, or the best on the validation split: see “Settings that differ”."
        if kinds
        else ""
    )


def _rates(contenders: Iterable[Contender]) -> str:
    rates = sorted(float(rate) for rate in _values(contenders, "lr"))
    if not rates:
        return ""
    if len(rates) == 1:
        return f"The learning rate of all strategies is {rates[0]:g}."
    return (
        f"Learning rates differ between strategies, from {rates[0]:g} to {rates[-1]:g}: see the column of the "
        "leaderboard."
    )


def _values(contenders: Iterable[Contender], name: str) -> set[str]:
    """Return the values of a field of the training protocol among contenders with scores."""
    return {
        str(json.loads(c.settings[f"training.{name}"]))
        for c in contenders
        if c.statuses.get("ok") and f"training.{name}" in c.settings
    }


def _listed(values: Iterable[str]) -> str:
    return " or ".join(sorted(values)).replace("_", " ")
