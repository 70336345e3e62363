"""Write warnings on what the learning looked like, and how to use the winner of each task."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ftbench.reporting import quantity

from .charts import mean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ftbench import Summary
    from ftbench.reporting import TaskColumn

_NAMED = 6


def warnings(target: TaskColumn) -> list[str]:
    """Describe loss that still fell at the end or rose, and strategies that diverged; equal findings share a line."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for c in target.contenders:
        for sign in c.signs:
            found[sign.kind, sign.task].append(c.label)
            if sign.kind == "diverged":
                found[sign.kind, sign.task][-1] += f" (seed {', '.join(map(str, sign.seeds))})"
    return [_sentence(kind, task, labels) for (kind, task), labels in found.items()]


def _sentence(kind: str, task: str, labels: Sequence[str]) -> str:
    names = ", ".join(labels[:_NAMED]) + (f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else "")
    if kind == "diverged":
        return f"Diverged: {names}."
    if kind == "rising":
        return f"Training loss rose towards the end on {task}: {names}."
    one = len(labels) == 1
    return (
        f"Not converged on {task}, the validation loss still fell at the end: {names}. More epochs would help "
        f"{'it' if one else 'them'} more than the others."
    )


class Winner(NamedTuple):
    """How to export and load the pick of a task."""

    place: int
    """Index of its task."""
    task: str
    label: str
    size: str
    """Size of what is stored; empty if it was not measured."""
    trial: str
    """Beginning of the id of one of its trials; empty if none is known."""
    run: str
    code: str


def winners(summary: Summary) -> list[Winner]:
    """Return the pick of each task with a command that exports its model, and code that uses it."""
    run = f"runs/{(summary.suites or (summary.suite,))[0]}"
    return [_winner(summary, place, run) for place, target in enumerate(summary.targets) if target.answer.pick]


def _winner(summary: Summary, place: int, run: str) -> Winner:
    target = summary.targets[place]
    pick = next(c for c in target.contenders if c.label == target.answer.pick)
    stored = mean(pick, "stored_bytes")
    trial = next(
        (t.id for t in summary.trials if (t.target, t.contender, t.status) == (target.label, pick.label, "ok")), ""
    )
    size = quantity(stored, pick.quantities["stored_bytes"].unit) if stored is not None else ""
    return Winner(place, target.label, pick.label, size, trial[:8], run, _code(target, pick.quantities))


_PIPELINES = {
    "text": ("text-classification", '"some text"'),
    "vision": ("image-classification", '"image.png"'),
    "speech": ("audio-classification", '"sound.wav"'),
}
_BY_SCORE = {
    "word_error_rate": ("automatic-speech-recognition", '"sound.wav"'),
    "exact_match": ("question-answering", 'question="Who?", context="some text"'),
    "f1": ("token-classification", '"some text"'),
}
"""Scores that only one kind of task has → its pipeline, if it is not a classification."""


def _code(target: TaskColumn, measured: Collection[str]) -> str:
    """Write five lines of Python that load the exported model and use it."""
    found = next((pipeline for score, pipeline in _BY_SCORE.items() if score in measured), None)
    if found is None and any(target.classes.values()):
        found = _PIPELINES.get(target.modality)
    if found is None:
        return (
            "import transformers\n\n"
            'config = transformers.AutoConfig.from_pretrained("out")\n'
            "kind = getattr(transformers, config.architectures[0])\n"
            'model = kind.from_pretrained("out")'
        )
    kind, example = found
    return (
        f'from transformers import pipeline\n\nmodel = pipeline("{kind}", model="out")\n'
        f"answer = model({example})\nprint(answer)"
    )
