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
        "Differences are paired over shared seeds; all pairs of a task inform each other’s variance (Smyth 2004).",
        (
            "A strategy could be the best unless it is worse than another at 95 % confidence, corrected for their "
            "number (Hsu 1984)."
        ),
        (
            "Words about differences to the baseline are corrected for their number by Holm’s method, and their "
            "intervals too; no word means that no difference was shown."
        ),
        (
            "Intervals of shares are computed on the logit scale and stay between 0 and 100 %; those of the possible "
            "best hold all at once."
        ),
        *_tuning(summary),
        "“On new items” covers seeds and test items together; items of one speaker or document count as one.",
        f"“Equivalent” means the 90 % interval is within the margin: {margin} for shares, otherwise the suite’s.",
        *_collapse(summary),
    ]
    remarks = (*summary.remarks, *((summary.ranking.reason,) if not summary.ranking.entries else ()))
    return [*sentences, *(f"{remark[0].upper()}{remark[1:].rstrip('.')}." for remark in remarks if remark)]


def _tuning(summary: Summary) -> list[str]:
    if not summary.tuning:
        return []
    return [
        "The best of several tuning trials is optimistic; the expected best of k draws corrects for that (Dodge 2019)."
    ]


def over_tasks(summary: Summary) -> list[str]:
    """Describe the ranks over tasks; empty if there are none."""
    if not summary.ranking.entries:
        return []
    tied = [f"Statistically tied over tasks: {', '.join(group)}." for group in summary.ranking.groups]
    return [*tied, *summary.ranking.remarks]


def _collapse(summary: Summary) -> list[str]:
    """Describe how often seeds may collapse although none did (the rule of three)."""
    most = max((c.statuses.get("ok", 0) for t in summary.targets for c in t.contenders), default=0)
    if most == 0 or any(target.answer.collapsed for target in summary.targets):
        return []
    return [f"No collapse in {most} seeds: up to {min(100, 300 / most):.0f} % of seeds may still collapse."]


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
