"""Write the first lines of the page: what to take on each task, and the facts of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench.reporting import PREFERENCES, choose, quantity, score_text

from .cards import picks_of, takes
from .charts import mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Summary
    from ftbench.reporting import Preference, TaskColumn

_OF: Mapping[Preference, str] = {
    "memory": " of memory",
    "time": " of training",
    "parameters": " trained parameters",
    "price": "",
}
_NAMED = 6
"""Most tasks named in the first sentence."""


def headlines(summary: Summary, kinds: Sequence[Preference]) -> list[tuple[tuple[Preference, ...], str]]:
    """Return the first sentence, with the kinds of cost for which it holds."""
    found: dict[str, list[Preference]] = {}
    for kind in kinds or PREFERENCES[:1]:
        picks = {target.label: picks_of(target, (kind,))[kind] for target in summary.targets}
        found.setdefault(_headline(summary, picks, kind), []).append(kind)
    return [(tuple(some), text) for text, some in found.items()]


def device(summary: Summary) -> str:
    """Name the device of the trials, if they all ran on one model."""
    names = {_device(environment.get("hardware") or {}) for environment in summary.environments}
    return names.pop() if len(names) == 1 else f"{len(names)} kinds of machine" if names else ""


def _device(hardware: Mapping[str, object]) -> str:
    gpu = hardware.get("gpu") or hardware.get("gpus")
    if isinstance(gpu, str):
        return gpu
    if isinstance(gpu, list | tuple) and gpu:
        first = gpu[0]
        return str(first.get("name", first)) if isinstance(first, dict) else str(first)
    return str(hardware.get("cpu") or hardware.get("machine") or "")


def _headline(summary: Summary, picks: Mapping[str, str], kind: Preference) -> str:
    targets = [target for target in summary.targets if picks[target.label]]
    if not targets:
        return "No trial has finished with a score."
    if len(summary.targets) == 1:
        return _alone(targets[0], picks[targets[0].label], kind)
    by_pick: dict[str, list[str]] = {}
    sure = [target for target in targets if takes(target)]
    for target in sure[:_NAMED]:
        by_pick.setdefault(picks[target.label], []).append(target.label)
    parts = [f"{pick} on {_listed(labels)}" for pick, labels in by_pick.items()]
    more = f", and see {len(sure) - _NAMED} more tasks below" if len(sure) > _NAMED else ""
    unsure = [target.label for target in targets if not takes(target)]
    sentences = [f"Take {', '.join(parts)}{more}."] if parts else []
    if unsure:
        named = _listed(unsure) if len(unsure) <= _NAMED else f"{len(unsure)} tasks"
        sentences.append(f"Too few seeds to choose on {named}.")
    return " ".join(sentences)


def _alone(target: TaskColumn, pick: str, kind: Preference) -> str:
    """Write the sentence of the only task: the pick with its score and the kind of cost that decided."""
    contender = next(c for c in target.contenders if c.label == pick)
    value = mean(contender, target.primary)
    named = target.primary.replace("_", " ")
    text = f"{named} {score_text(value, target.unit)}" if value is not None else ""
    if not takes(target):
        return f"Too few seeds to choose: {pick} has the best {text}."
    name = choose([contender], target.primary, kind)[1]
    spent = contender.quantities[name].estimate if name else None
    cost = f", {quantity(spent.mean, contender.quantities[name].unit)}{_OF[kind]}" if spent else ""
    return f"Take {pick}: {text}{cost}."


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
