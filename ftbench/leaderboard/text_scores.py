"""Compute again the scores of predictions that are texts or tags: transcripts, answers, entities."""

from __future__ import annotations

import math
import re
import string
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..api.measurement import Measurement

    Line = Mapping[str, Any]

_SQUAD = "as SQuAD's script"
_WORDS = "scikit-learn f1_score of words"
_STRICT = re.compile(r"seqeval, strict, (IOB1|IOB2|IOE1|IOE2|IOBES|BILOU)\b")
_SIGNS = str.maketrans("", "", string.punctuation)


def text_scores(examples: Sequence[Line], measured: Mapping[str, Measurement]) -> dict[str, float]:
    """Return the scores that follow from texts or tags, by the methods that a record names.

    Args:
        examples: predictions of one task, at least one.
        measured: the scores of the record by name.
    """
    found: dict[str, float] = {}
    if all(_are_tags(one.get("label")) and _are_tags(one.get("prediction")) for one in examples):
        found |= _tags(examples, measured)
    if all("word_errors" in one and isinstance(one.get("prediction"), str) for one in examples):
        found |= _transcripts(examples)
    for name, measurement in measured.items():
        if _SQUAD in measurement.method and name in ("f1", "exact_match"):
            found[name] = float(np.mean([_answer(one, name) for one in examples]))
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _are_tags(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _tags(examples: Sequence[Line], measured: Mapping[str, Measurement]) -> dict[str, float]:
    truth, said = ([list(one[key]) for one in examples] for key in ("label", "prediction"))
    if any(len(one) != len(other) for one, other in zip(truth, said, strict=True)):
        return {"token_accuracy": -1.0}
    right = [a == b for one, other in zip(truth, said, strict=True) for a, b in zip(one, other, strict=True)]
    found = {"token_accuracy": float(np.mean(right))} if right else {}
    scheme = next((match[1] for m in measured.values() if (match := _STRICT.match(m.method))), None)
    if scheme:
        return {**found, **_entities(truth, said, scheme)}
    return (
        {**found, **_words_scored(truth, said)}
        if any(m.method.startswith(_WORDS) for m in measured.values())
        else found
    )


def _words_scored(truth: list[list[str]], said: list[list[str]]) -> dict[str, float]:
    """Score each word on its own."""
    from sklearn.metrics import f1_score

    right, guessed = ([tag for tags in lists for tag in tags] for lists in (truth, said))
    names = sorted({*right, *guessed})
    return {
        name: float(f1_score(right, guessed, labels=names, average=kind, zero_division=np.nan))
        for name, kind in (("f1", "macro"), ("weighted_f1", "weighted"))
    }


def _entities(truth: list[list[str]], said: list[list[str]], scheme: str) -> dict[str, float]:
    """Score whole entities by seqeval, in its strict mode."""
    from seqeval import metrics
    from seqeval import scheme as schemes

    how = {"mode": "strict", "scheme": getattr(schemes, scheme), "zero_division": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "f1": float(metrics.f1_score(truth, said, average="micro", **how)),
            "macro_f1": float(metrics.f1_score(truth, said, average="macro", **how)),
            "precision": float(metrics.precision_score(truth, said, average="micro", **how)),
            "recall": float(metrics.recall_score(truth, said, average="micro", **how)),
        }


def _transcripts(examples: Sequence[Line]) -> dict[str, float]:
    """Count the errors of transcripts by the shortest edit."""
    import jiwer

    pairs = [(str(one["label"]), str(one["prediction"])) for one in examples]
    words = [_edits(jiwer.process_words(right, said)) for right, said in pairs]
    characters = sum(_edits(jiwer.process_characters(right, said)) for right, said in pairs)
    return {
        "word_error_rate": sum(words) / max(1, sum(len(right.split()) for right, _ in pairs)),
        "character_error_rate": characters / max(1, sum(len(right) for right, _ in pairs)),
        "exact_match": float(np.mean([not errors for errors in words])),
    }


def _edits(found: Any) -> int:
    return int(found.substitutions + found.deletions + found.insertions)


def _answer(example: Line, name: str) -> float:
    """Score an answer like SQuAD: without case, punctuation and articles, against the closest right answer."""
    labels = example.get("label")
    right = [words for answer in (labels if isinstance(labels, list) else [labels]) if (words := _words(str(answer)))]
    said = _words(str(example.get("prediction")))
    return max(_shared(said, one) if name == "f1" else float(said == one) for one in right or [[]])


def _words(answer: str) -> list[str]:
    return re.sub(r"\b(a|an|the)\b", " ", answer.lower().translate(_SIGNS)).split()


def _shared(one: list[str], other: list[str]) -> float:
    if not one or not other:
        return float(one == other)
    return round(2 * sum((Counter(one) & Counter(other)).values()) / (len(one) + len(other)), 6)
