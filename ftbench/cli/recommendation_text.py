"""Format recommendations as Markdown or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..analysis.recommendation import judging
from ..analysis.wording import joined
from ..formatting import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.contender import Contender
    from ..analysis.recommendation import Judged, Limit, Recommendation
    from ..analysis.summary import Summary

METHOD = (
    "A limit is met if the whole 95 % interval is within it. The interval of the primary score covers seeds and new "
    "test items if known, otherwise seeds only; with one seed the value itself is used. Preferences are paired tests "
    "on shared seeds with Holm's correction."
)


def as_markdown(summary: Summary, limits: Sequence[Limit], found: Sequence[Recommendation]) -> str:
    """Return Markdown: for each task column the recommendation, its reasons and a table of all strategies."""
    lines = [f"# {_escaped(summary.suite)}: which strategy?", ""]
    for one in found:
        lines += [f"## {_escaped(one.target)}", "", f"**{_escaped(_answer(one))}**", ""]
        lines += [_escaped(sentence) for sentence in one.why]
        lines += ["", *_table(one, limits), ""]
    return "\n".join([*lines, METHOD]) + "\n"


def _answer(found: Recommendation) -> str:
    if not found.recommended:
        return "No recommendation"
    return found.recommended[0] if len(found.recommended) == 1 else f"A tie: {joined(found.recommended)}"


def _table(found: Recommendation, limits: Sequence[Limit]) -> Iterator[str]:
    shown = [found.candidates[0].judged[index] for index in range(len(limits))] if found.candidates else []
    headings = [_heading(judged) for judged in shown]
    yield "| " + " | ".join(["strategy", *headings, found.prefer.replace("_", " "), "limits"]) + " |"
    yield "|---|" + "---:|" * (len(headings) + 1) + "---|"
    for candidate in found.candidates:
        cells = [
            ": ".join((_measured(candidate.contender, judged.metric), judged.standing)) for judged in candidate.judged
        ]
        cells = [
            _escaped(candidate.contender.label),
            *map(_escaped, cells),
            _escaped(_measured(candidate.contender, found.prefer)),
        ]
        yield "| " + " | ".join([*cells, candidate.standing if limits else "none given"]) + " |"


def _heading(judged: Judged) -> str:
    name = (judged.metric or judged.limit.metrics[0]).replace("_", " ")
    unit = judged.quantity.unit if judged.quantity else ""
    return f"{name} {'≥' if judged.limit.at_least else '≤'} {quantity(judged.limit.bound, unit)}"


def _measured(contender: Contender, name: str) -> str:
    found = contender.quantities.get(name)
    if found is None or found.estimate is None:
        return "–"
    interval = judging(found)
    text = quantity(found.estimate.mean, found.unit)
    if interval is None or interval.low == interval.high:
        return text
    return f"{text} [{quantity(interval.low, found.unit)}, {quantity(interval.high, found.unit)}]"


def as_json(summary: Summary, limits: Sequence[Limit], found: Sequence[Recommendation]) -> str:
    """Return the recommendations as one JSON object."""
    table = {
        "suite": summary.suite,
        "method": METHOD,
        "limits": [
            {"metrics": list(limit.metrics), "bound": limit.bound, "at_least": limit.at_least} for limit in limits
        ],
        "targets": [
            {
                "target": one.target,
                "prefer": one.prefer,
                "recommended": list(one.recommended),
                "decided": len(one.recommended) == 1,
                "why": list(one.why),
                "candidates": [
                    {
                        "label": candidate.contender.label,
                        "strategy": candidate.contender.strategy,
                        "backbone": candidate.contender.backbone,
                        "standing": candidate.standing,
                        "limits": [
                            {
                                "metric": judged.metric,
                                "standing": judged.standing,
                                "by": judged.by,
                                **_numbers(candidate.contender, judged.metric),
                            }
                            for judged in candidate.judged
                        ],
                        "preferred": _numbers(candidate.contender, one.prefer),
                    }
                    for candidate in one.candidates
                ],
            }
            for one in found
        ],
    }
    return json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _numbers(contender: Contender, name: str) -> dict[str, Any]:
    found = contender.quantities.get(name)
    if found is None or found.estimate is None:
        return {"mean": None, "n": 0, "interval": None, "unit": found.unit if found else None}
    interval = judging(found)
    return {
        "mean": found.estimate.mean,
        "n": found.estimate.n,
        "interval": asdict(interval) if interval else None,
        "unit": found.unit,
    }


def _escaped(text: str) -> str:
    """Escape Markdown characters in a name."""
    return re.sub(r"([\\`*_<>#|])", r"\\\1", text).replace("\n", " ")
