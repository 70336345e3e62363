"""Format the checks of a gate as lines for a terminal, or as Markdown for a pull request or a job summary."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.wording import percent_change, step_range, step_text
from ..formatting import collapsed, quantity, visible
from .checks import VERDICTS, most_severe_first, place_text, several_backbones

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.estimates import Estimate
    from .checks import Check


COMMENT = 6_144
"""Maximum bytes of a comment on a pull request: what fits on a screen or two; GitHub would take ten times as much."""
SUMMARY = 1_048_576
"""Maximum bytes of a GitHub step summary."""
_LONGEST = 600
"""Maximum characters of one finding in Markdown."""
_FLAWS = 3
"""Maximum flaws of the data in Markdown."""
MARK = "<!-- ftbench gate -->"
"""First line of the Markdown, by which a job finds its earlier comment."""


Value = float | str | None
"""An exact value: a number, a hash, or None if it is missing."""


@dataclass(frozen=True)
class Gated:
    """The result of a gate."""

    head: str
    """Name of the run, as given by the user."""
    base: str
    """Name of the baseline."""
    suite: str
    """Name of the suite."""
    checks: tuple[Check, ...]
    strict: bool = False
    data: tuple[str, ...] = ()
    """A line for each flaw of the data that the baseline has not."""

    @property
    def counts(self) -> str:
        """Number of checks per verdict: `24 checks: 1 regressed, 23 ok`."""
        gating = [check for check in self.checks if check.gating]
        found = Counter(check.verdict for check in gating)
        verdicts = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
        return f"{len(gating)} checks: {verdicts}"

    @property
    def verdict(self) -> str:
        """The most severe verdict that counts for the exit code."""
        return most_severe_first(check for check in self.checks if check.gating)[0].verdict


def lines(gated: Gated, *, everything: bool = False) -> list[str]:
    """Return a line per check that is not ok, with checks of the same cause merged, and a line for the totals.

    Args:
        gated: the result.
        everything: whether to include checks that are ok.
    """
    shown = [check for check in most_severe_first(gated.checks) if everything or check.verdict != "ok"]
    backbone = several_backbones(gated.checks)
    causes: dict[tuple[str, bool, str], list[Check]] = {}
    for check in shown:
        cause = check.message if check.verdict == "not comparable" else check.finding()
        causes.setdefault((check.verdict, check.gating, cause), []).append(check)
    found = []
    for (verdict, gating, message), checks in causes.items():
        said = verdict if gating else "not checked"
        if verdict == "not comparable":
            metrics = ", ".join(dict.fromkeys(check.metric for check in checks))
            places = ", ".join(dict.fromkeys(place_text(check.place, backbone=backbone) for check in checks))
            found.append(f"{said}: {metrics} of {places}: {message}")
        else:
            found.append(f"{said}: {checks[0].finding(backbone=backbone)}")
    found += [f"data: {line}" for line in gated.data]
    return [*map(collapsed, found), visible(f"{gated.head} against {gated.base}: {gated.counts}")]


def markdown(gated: Gated, limit: int = COMMENT, link: str = "") -> str:
    """Return Markdown with a table of checks that are not ok and a folded one of the rest, cut at `limit` bytes.

    Args:
        gated: the result.
        limit: maximum size; a note says how many checks were cut.
        link: address of the job that has the page, the log and the files; empty if there is none.
    """
    ordered = most_severe_first(gated.checks)
    open_rows = [check for check in ordered if check.verdict != "ok" and check.gating]
    rest = [check for check in ordered if check.verdict == "ok" or not check.gating]
    head = [
        MARK,
        f"## ftbench gate: {gated.verdict}",
        "",
        f"`{_code(gated.head)}` against `{_code(gated.base)}`, {gated.counts}."
        + (f" [Page, log and files of this job]({link})" if link else ""),
        "",
        *_data_lines(gated.data),
    ]
    header = ["| verdict | what was found |", "|---|---|"]
    cut = (
        "\n_Cut here: {shown} of {all} checks are shown, the most severe first; "
        "the JUnit file and the job log have all, the page has every score._\n"
    )
    room = limit - len(cut.format(shown=len(ordered), all=len(ordered)).encode()) - len("\n</details>\n")
    backbone = several_backbones(gated.checks)
    parts, used, shown = list(head), _bytes(head), 0
    for rows, before in (
        (open_rows, header),
        (rest, ["", f"<details><summary>{len(rest)} more</summary>", "", *header]),
    ):
        if not rows or shown < (0 if rows is open_rows else len(open_rows)):
            continue
        if used + _bytes(before) > room:
            break
        parts, used = parts + before, used + _bytes(before)
        for check in rows:
            row = _row(check, backbone=backbone)
            if used + _bytes([row]) > room:
                break
            parts, used, shown = [*parts, row], used + _bytes([row]), shown + 1
        if rows is rest:
            parts += ["", "</details>"]
    text = "\n".join(parts) + "\n"
    return text if shown == len(ordered) else text + cut.format(shown=shown, all=len(ordered))


def _data_lines(data: Sequence[str]) -> list[str]:
    """Return Markdown items for the first flaws of the data, and the number of the others."""
    if not data:
        return []
    more = [f"* data: {len(data) - _FLAWS} more; the job log has all"] if len(data) > _FLAWS else []
    return [*(f"* data: {_cell(_cut(line))}" for line in data[:_FLAWS]), *more, ""]


def _row(check: Check, *, backbone: bool) -> str:
    verdict = f"**{check.verdict}**" if check.verdict not in ("ok", "accepted") and check.gating else check.verdict
    shown = _cell(_cut(collapsed(check.finding(backbone=backbone))))
    return f"| {verdict if check.gating else 'not checked'} | {shown} |"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _bytes(parts: Sequence[str]) -> int:
    return sum(len(part.encode()) + 1 for part in parts)


def _cell(text: str) -> str:
    """Escape a text for a table cell, so that it neither ends the cell nor formats or mentions anything."""
    text = collapsed(text).replace("&", "&amp;")
    for letter in "\\|`*_[]<>":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("@", "@\u200b")


def _code(text: str) -> str:
    return collapsed(text).replace("`", "'")


def difference_text(
    gains: Estimate,
    before: float,
    after: float,
    unit: str,
    *,
    margin: float,
    p: float | None,
    lower: bool = False,
    over: str = "",
) -> str:
    """Format a difference of a score or a size: `80.9 → 75.9 % (−5.0 points, allowed −1.0); …`.

    Args:
        gains: gain over the baseline, more is better; an accepted change is subtracted.
        before: mean in the baseline.
        after: mean in the run.
        unit: unit of both.
        margin: largest loss that does not matter.
        p: corrected p-value; None if unknown.
        lower: whether lower values are better.
        over: what the difference is a mean of; the number of pairs by default.
    """
    sign = -1 if lower else 1
    harmful = "+" if lower else "-"
    if unit == "1":
        values = f"{100 * before:.1f} → {quantity(after, '1')}"
        change = f"{step_text(sign * gains.mean)} points"
        allowed = f"{harmful}{100 * margin:.1f}" if margin >= 0.001 else f"{harmful}{100 * margin:.2g}"
    else:
        values = f"{quantity(before, unit)} → {quantity(after, unit)}"
        change = percent_change(after / before - 1) if before else ""
        allowed = f"{harmful}{quantity(margin, unit)}"
    ends = ""
    if unit == "1" and gains.low is not None and gains.high is not None:
        low, high = sorted((sign * gains.low, sign * gains.high))
        ends = f"95 % interval {step_range(low, high)} "
    inside = ", ".join(filter(None, (change, f"allowed {allowed}")))
    found = re.sub(r"(?<!\w)-(?=\d)", "−", f"{values} ({inside}); {ends}over {over or count_text(gains.n, 'pair')}")
    return f"{found}, p {p:.2g}" if p is not None else found


def change_text(before: Value, after: Value, unit: str) -> str:
    """Format the change of an exact value."""
    change = ""
    if isinstance(before, float) and isinstance(after, float) and before:
        change = f" ({percent_change(after / before - 1)})"
    return f"{exact_text(before, unit)} → {exact_text(after, unit)}{change}"


def divergence_text(one: Sequence[float], other: Sequence[float]) -> str:
    """Describe where two training losses diverge."""
    for number, (first, second) in enumerate(zip(one, other, strict=False), 1):
        if first != second:
            return f"the training loss diverges at point {number} of {len(one)}: {first:g} → {second:g}"
    return f"the training loss has {len(one)} → {len(other)} points"


def exact_text(value: Value, unit: str) -> str:
    """Format an exact value with all its digits."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else f"{value:,.0f} {unit}".strip()


def count_text(number: int, what: str) -> str:
    """Format a count with its noun: `1 pair`, `3 pairs`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds_text(seeds: Sequence[int]) -> str:
    """Format seeds: `seed 3`, `seeds 0, 1, 2`."""
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
