"""Draw the badge of a suite: an SVG image for its README that names what to take."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from ftbench.reporting import score_text

from ..cards import takes
from ..charts import mean
from ..figure import shortened
from ..palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench.reporting import Group, TaskColumn

    from ..palette import Look

_LETTER, _EDGE, _TASKS, _LETTERS = 6.6, 7, 3, 24
"""Width of a letter and room at the edges in pixels; tasks that are named; letters of a name."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GREY, _DARK, _FONT = "#51607a", "#2b3442", "Verdana,DejaVu Sans,Geneva,sans-serif"


def badge(group: Group, looks: Mapping[str, Look]) -> str:
    """Return the badge as SVG; it needs no other file."""
    targets = group.summary.targets
    left = shortened(group.suite, _LETTERS)
    right = _answer(group)
    only = targets[0].answer.pick if len(targets) == 1 and takes(targets[0]) else ""
    colour = LIGHT[looks[only].colour] if only else _DARK
    ours, theirs = (_LETTER * len(text) + 2 * _EDGE for text in (left, right))
    left, right = (_text(text) for text in (left, right))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ours + theirs:.0f}" height="20" role="img" '
        f'aria-label="{left}: {right}"><title>{left}: {right}</title>'
        f'<rect width="{ours:.0f}" height="20" fill="{_GREY}"/>'
        f'<rect x="{ours:.0f}" width="{theirs:.0f}" height="20" fill="{colour}"/>'
        f'<g fill="#ffffff" text-anchor="middle" font-family="{_FONT}" font-size="11">'
        f'<text x="{ours / 2:.0f}" y="14">{left}</text>'
        f'<text x="{ours + theirs / 2:.0f}" y="14">{right}</text></g></svg>\n'
    )


def _answer(group: Group) -> str:
    targets = [target for target in group.summary.targets if takes(target) and target.answer.pick]
    if not targets:
        return "too few seeds to choose"
    if len(group.summary.targets) == 1:
        return f"take {shortened(targets[0].answer.pick, _LETTERS)}, {_score(targets[0])}"
    named = [
        f"{shortened(target.label, _LETTERS)}: {shortened(target.answer.pick, _LETTERS)}" for target in targets[:_TASKS]
    ]
    more = [f"{len(targets) - _TASKS} more"] if len(targets) > _TASKS else []
    return " · ".join(named + more)


def _score(target: TaskColumn) -> str:
    pick = next(c for c in target.contenders if c.label == target.answer.pick)
    return score_text(mean(pick, target.primary) or 0.0, target.unit)


def _text(text: str) -> str:
    """Escape a text for XML, which excludes most control characters."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
