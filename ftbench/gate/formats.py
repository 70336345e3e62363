"""A gate's checks for people: lines for a terminal, Markdown for a pull request or the summary of a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.wording import point_interval
from ..formatting import collapsed, quantity
from .checks import VERDICTS, gravest_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stats.estimates import Estimate
    from .checks import Check


COMMENT = 65_536
"""Characters GitHub takes in a comment; we count bytes, which are never fewer."""
SUMMARY = 1_048_576
"""Bytes GitHub takes in the summary of a step."""
MARK = "<!-- ftbench gate -->"
"""The first line of every Markdown text, by which a job finds its own earlier comment."""


Value = float | str | None
"""A figure, a hash, or nothing."""


@dataclass(frozen=True)
class Gated:
    """What a gate came to."""

    head: str
    """The run, as it was named."""
    base: str
    """The baseline."""
    suite: str
    """Name of the suite."""
    checks: tuple[Check, ...]
    strict: bool = False

    @property
    def counts(self) -> str:
        """How many checks came out how: `24 checks: 1 regressed, 23 ok`."""
        held = [check for check in self.checks if check.held]
        found = Counter(check.verdict for check in held)
        return (
            f"{len(held)} checks: {', '.join(f'{found[verdict]} {verdict}' for verdict in VERDICTS if found[verdict])}"
        )

    @property
    def verdict(self) -> str:
        """The gravest verdict that counts."""
        return gravest_first(check for check in self.checks if check.held)[0].verdict


def lines(gated: Gated, *, everything: bool = False) -> list[str]:
    """Write a line for each check that is not ok, those of one cause together, and one for all."""
    shown = [check for check in gravest_first(gated.checks) if everything or check.verdict != "ok"]
    causes: dict[tuple[str, bool, str], list[Check]] = {}
    for check in shown:
        together = check.verdict == "not comparable"
        causes.setdefault((check.verdict, check.held, check.message if together else str(check)), []).append(check)
    found = []
    for (verdict, held, message), checks in causes.items():
        if verdict == "not comparable":
            metrics = ", ".join(dict.fromkeys(check.metric for check in checks))
            places = ", ".join(dict.fromkeys(str(check.place) for check in checks))
            found.append(f"{verdict if held else 'not held'}: {metrics}, {places}: {message}")
        else:
            found.append(message if held else f"not held: {checks[0].title}: {checks[0].message}")
    return [*map(collapsed, found), f"{gated.head} against {gated.base}: {gated.counts}"]


def markdown(gated: Gated, limit: int = COMMENT) -> str:
    """Write a table of what is not ok and one of the rest; cut to `limit` bytes with a sentence that says so."""
    ordered = gravest_first(gated.checks)
    open_rows = [check for check in ordered if check.verdict != "ok" and check.held]
    rest = [check for check in ordered if check.verdict == "ok" or not check.held]
    head = [
        MARK,
        f"## ftbench gate: {gated.verdict}",
        "",
        f"`{_code(gated.head)}` against `{_code(gated.base)}`, {gated.counts}.",
        "",
    ]
    header = ["| verdict | metric | strategy | task | backbone | what was found |", "|---|---|---|---|---|---|"]
    cut = "\n_Cut here: {shown} of {all} checks are shown, the gravest first; the JUnit file and the log of the job have all._\n"
    room = limit - len(cut.format(shown=len(ordered), all=len(ordered)).encode()) - len("\n</details>\n")
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
            row = _row(check)
            if used + _bytes([row]) > room:
                break
            parts, used, shown = [*parts, row], used + _bytes([row]), shown + 1
        if rows is rest:
            parts += ["", "</details>"]
    text = "\n".join(parts) + "\n"
    return text if shown == len(ordered) else text + cut.format(shown=shown, all=len(ordered))


def _row(check: Check) -> str:
    place, task = check.place, check.task or check.place.target
    verdict = f"**{check.verdict}**" if check.verdict not in ("ok", "accepted") and check.held else check.verdict
    cells = (check.metric, place.strategy, task, place.backbone, check.message)
    return f"| {verdict if check.held else 'not held'} | {' | '.join(map(_cell, cells))} |"


def _bytes(parts: Sequence[str]) -> int:
    return sum(len(part.encode()) + 1 for part in parts)


def _cell(text: str) -> str:
    """Keep a cell in its cell, and its text text."""
    text = collapsed(text).replace("&", "&amp;")
    for letter in "\\|`*_[]<>":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("@", "@\u200b")


def _code(text: str) -> str:
    return collapsed(text).replace("`", "'")


def sized(gains: Estimate, before: float, after: float, unit: str, *, margin: float, p: float | None) -> str:
    """Write how far a score or a size moved: means, the gain with its 95 % interval, pairs, Holm-corrected p, and the margin."""
    over = f"over {counted(gains.n, 'pair')}"
    level = f", p {p:.2g}" if p is not None else ""
    if unit == "1":
        return f"{quantity(before, '1')} → {quantity(after, '1')}, gain {point_interval(gains)} {over}{level}, margin {100 * margin:g} points"
    change = f" ({signed_percent(after / before - 1)})" if before else ""
    return f"{quantity(before, unit)} → {quantity(after, unit)}{change} {over}{level}, margin {quantity(margin, unit)}"


def moved(before: Value, after: Value, unit: str) -> str:
    """Write the change of an exact figure."""
    numbers = isinstance(before, float) and isinstance(after, float) and before
    change = f" ({signed_percent(after / before - 1)})" if numbers else ""  # type: ignore[operator]  # both are numbers there
    return f"{figure(before, unit)} → {figure(after, unit)}{change}"


def parting(one: Sequence[float], other: Sequence[float]) -> str:
    """Write where two training losses part."""
    for number, (first, second) in enumerate(zip(one, other, strict=False), 1):
        if first != second:
            return f"the training loss parts at point {number} of {len(one)}: {first:g} → {second:g}"
    return f"the training loss has {len(one)} → {len(other)} points"


def figure(value: Value, unit: str) -> str:
    """Write an exact figure whole."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else f"{value:,.0f} {unit}".strip()


def signed_percent(share: float) -> str:
    """Write a relative change."""
    return f"{100 * share:+.1f} %"


def counted(number: int, what: str) -> str:
    """Write a count with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds_named(seeds: Sequence[int]) -> str:
    """Write seeds: `seed 3`, `seeds 0, 1, 2`."""
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"
