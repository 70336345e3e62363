"""Format recommendations as Markdown or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..analysis.answer import PREFERENCES
from ..analysis.answer_rows import interval_shown
from ..analysis.contender import score
from ..analysis.recommendation import judging
from ..analysis.wording import joined, plus_minus
from ..formatting import collapsed, quantity, unmentioned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.contender import Contender
    from ..analysis.recommendation import Candidate, Judged, Limit, Recommendation
    from ..analysis.summary import Summary

METHOD = (
    "The pick: of the strategies that could be the best (with 95 % confidence, multiple comparisons with the best), "
    "those within 10 % of the least cost, and of these the best mean. A limit is met if the whole 95 % interval is "
    "within it. The interval of the primary score covers seeds and new test items if known, otherwise seeds only; with "
    "one seed the value itself is used. Preferences for a measurement are paired tests on shared seeds with Holm's "
    "correction."
)


def as_markdown(summary: Summary, limits: Sequence[Limit], found: Sequence[Recommendation]) -> str:
    """Return Markdown: for each task column the recommendation, its reasons and a table of all strategies."""
    lines = [f"# {_escaped(summary.suite)}: which strategy?", ""]
    for one in found:
        lines += [f"## {_escaped(one.target)}", "", f"**{_escaped(_answer(one))}**", ""]
        lines += [_escaped(sentence) for sentence in one.why[_spoken(one) :]]
        lines += ["", *_table(one, limits), ""]
    over = _over_tasks(summary, found)
    if over is not None:
        lines += [f"## Over {len(over['tasks'])} tasks", "", _over_sentence(over), ""]
    return "\n".join([*lines, METHOD]) + "\n"


def _spoken(found: Recommendation) -> int:
    """Return how many sentences the answer in bold already says: the pick's own."""
    return int(found.prefer in PREFERENCES and bool(found.recommended))


def _answer(found: Recommendation) -> str:
    if _spoken(found):
        return found.why[0]
    if not found.recommended:
        return "No recommendation"
    return found.recommended[0] if len(found.recommended) == 1 else f"A tie: {joined(found.recommended)}"


def _over_tasks(summary: Summary, found: Sequence[Recommendation]) -> dict[str, Any] | None:
    """Return the strategy with the best mean rank; None if strategies cannot be ranked, or tasks were selected."""
    if len(found) < len(summary.targets) or not summary.ranking.entries:
        return None
    best = summary.ranking.entries[0]
    return {
        "tasks": list(summary.ranking.tasks),
        "best": best.strategy,
        "mean_rank": best.rank,
        "interval": asdict(best.interval),
    }


def _over_sentence(over: Mapping[str, Any]) -> str:
    low, high = over["interval"]["low"], over["interval"]["high"]
    return _escaped(f"{over['best']} has the best mean rank, {over['mean_rank']:.1f} [{low:.1f}, {high:.1f}].")


def _table(found: Recommendation, limits: Sequence[Limit]) -> Iterator[str]:
    shown = [found.candidates[0].judged[index] for index in range(len(limits))] if found.candidates else []
    limited = {judged.metric for judged in shown}
    names = [name for name in dict.fromkeys((found.primary, found.measurement)) if name and name not in limited]
    headings = [*(_heading(judged) for judged in shown), *(name.replace("_", " ") for name in names)]
    yield "| " + " | ".join(["strategy", *map(_escaped, headings), "result"]) + " |"
    yield "|---|" + "---:|" * len(headings) + "---|"
    for candidate in found.candidates:
        cells = [
            candidate.contender.label,
            *(": ".join((_measured(candidate.contender, one.metric), one.standing)) for one in candidate.judged),
            *(_shown(candidate.contender, name, found) for name in names),
            _result(candidate, found),
        ]
        yield "| " + " | ".join(map(_escaped, cells)) + " |"


def _shown(contender: Contender, name: str, found: Recommendation) -> str:
    """Return the score as in the answer, and a cost as a mean; intervals of other measurements are over seeds."""
    mean = score(contender, name)
    if mean is None:
        return "–"
    if name == found.primary:
        unit = contender.quantities[name].unit
        text = plus_minus(mean, interval_shown(found.answer, contender, name), unit)
        return f"{text} {'%' if unit == '1' else unit}"
    cost = found.prefer in PREFERENCES
    return quantity(mean, contender.quantities[name].unit) if cost else _measured(contender, name)


def _result(candidate: Candidate, found: Recommendation) -> str:
    """Return what became of a strategy: of those that meet every limit, whether it could be the best."""
    if candidate.standing != "met":
        return "limits " + candidate.standing
    label = candidate.contender.label
    if label in found.recommended:
        return "take" if len(found.recommended) == 1 else "tied"
    if not found.answer.decided:
        return ""
    return "could be the best" if label in found.answer.possible else "worse"


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
                "primary": one.primary,
                "prefer": one.prefer,
                "cost": one.measurement or None,
                "recommended": list(one.recommended),
                "decided": one.decided,
                "leader": one.answer.leader or None,
                "possible": list(one.answer.possible),
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
                        "score": _numbers(candidate.contender, one.primary),
                        "preferred": _numbers(candidate.contender, one.measurement),
                    }
                    for candidate in one.candidates
                ],
            }
            for one in found
        ],
        "over_tasks": _over_tasks(summary, found),
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
    return unmentioned(re.sub(r"([\\`*_<>#|]|\](?=\())", r"\\\1", collapsed(text)))
