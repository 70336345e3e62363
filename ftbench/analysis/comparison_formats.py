"""Output formats of a comparison: Markdown, CSV, JSON and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..formatting import collapsed, quantity, unmentioned, visible, visible_json
from .wording import percent_change, point_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .comparison import Comparison, Row

FORMATS = ("markdown", "csv", "json", "latex")
NOTE = (
    "Differences are second minus first, with 95 % intervals over paired seeds; differences of costs are relative to "
    "the first. p is Holm-corrected over the rows of a metric; d_z is the difference in standard deviations of the "
    "paired differences."
)
_REASON_VERBS = {"not comparable": "is not comparable", "undecided": "is undecided"}
COLUMNS = ("task", "strategy", "metric", "first", "second", "difference", "verdict", "p", "effect", "seeds")


def write(comparison: Comparison, form: str) -> str:
    """Return a comparison as text in one of `FORMATS`."""
    text = {"markdown": _markdown, "csv": _csv, "json": _json, "latex": _latex}[form](comparison)
    return visible_json(text) if form == "json" else visible(text, "\n")


def _markdown(found: Comparison) -> str:
    lines = [f"# {_escape_markdown(found.second)} against {_escape_markdown(found.first)}", ""]
    for title, listed in (("Configuration", found.configuration), ("Data, protocol, software, hardware", found.drift)):
        lines += [f"## {title}", ""]
        if listed:
            lines += ["| field | first | second |", "|---|---|---|"]
            lines += [
                f"| `{_escape_markdown(one.field)}` | {_escape_markdown(one.first)} | {_escape_markdown(one.second)} |"
                for one in listed
            ]
        else:
            lines.append("No difference.")
        lines.append("")
    lines += ["## Results", "", f"| {' | '.join(COLUMNS)} |", "|---|---|---|--:|--:|--:|---|--:|---|--:|"]
    lines += [f"| {' | '.join(map(_escape_markdown, cells(row)))} |" for row in found.rows]
    lines += ["", *(f"* {_escape_markdown(line)}" for line in (*found.alone, *_reasons(found.rows)))]
    return "\n".join([*lines, "", NOTE]) + "\n"


def _reasons(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(f"{row.metric} {_REASON_VERBS[row.verdict]}: {row.reason}" for row in rows if row.reason))


def cells(row: Row) -> list[str]:
    """Return the cells of a row as text, in the order of `COLUMNS`."""
    target = f"{row.place.target} ({row.place.backbone})"
    means = [quantity(mean, row.unit) if mean is not None else "–" for mean in (row.first, row.second)]
    p = f"{row.p:.2g}" if row.p is not None else "–"
    return [
        target,
        row.place.strategy,
        row.metric,
        *means,
        _difference(row),
        row.verdict,
        p,
        _effect(row),
        str(len(row.seeds)),
    ]


def _difference(row: Row) -> str:
    found = row.difference
    if found is None:
        return "–"
    if row.scale == "points":
        return point_interval(found) if row.unit == "1" else f"{found.mean:+.3g} {row.unit}"
    text = percent_change(found.mean)
    if row.scale == "exact" or found.low is None or found.high is None:
        return text
    return f"{text} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _effect(row: Row) -> str:
    size = row.effect
    if size is None:
        return "–"
    parts = [f"d_z {size.d_z:+.2f}"] if size.d_z is not None else []
    if size.error_reduction is not None:
        parts.append(f"errors {0.0 - 100 * size.error_reduction:+.0f} %")
    return ", ".join([*parts, f"better on {100 * size.p_better:.0f} % of the seeds"])


def _csv(found: Comparison) -> str:
    stream = io.StringIO()
    rows = [_csv_row(row) for row in found.rows]
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: collapsed(cell) if isinstance(cell, str) else cell for name, cell in row.items()} for row in rows
    )
    return stream.getvalue()


def _csv_row(row: Row) -> dict[str, Any]:
    size, difference = row.effect, row.difference
    return {
        "target": row.place.target,
        "backbone": row.place.backbone,
        "strategy": row.place.strategy,
        "against": row.against,
        "metric": row.metric,
        "unit": row.unit,
        "scale": row.scale,
        "first": row.first,
        "second": row.second,
        "difference": difference and difference.mean,
        "low": difference and difference.low,
        "high": difference and difference.high,
        "verdict": row.verdict,
        "p_holm": row.p,
        "d_z": size and size.d_z,
        "error_reduction": size and size.error_reduction,
        "p_better": size and size.p_better,
        "n": len(row.seeds),
        "seeds": " ".join(map(str, row.seeds)),
        "reason": row.reason,
    }


def _json(found: Comparison) -> str:
    table = {
        "schema": "ftbench.comparison/1",
        "first": found.first,
        "second": found.second,
        "configuration": [asdict(one) for one in found.configuration],
        "drift": [asdict(one) for one in found.drift],
        "alone": list(found.alone),
        "rows": [asdict(row) for row in found.rows],
    }
    return json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _latex(found: Comparison) -> str:
    """Return the results as a table for the LaTeX package booktabs."""
    lines = [r"\begin{tabular}{lllrrrlrlr}", r"\toprule", " & ".join(COLUMNS) + r" \\", r"\midrule"]
    lines += [" & ".join(map(_escape_latex, cells(row))) + r" \\" for row in found.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "→": r"$\to$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _escape_latex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in collapsed(text))


def _escape_markdown(text: str) -> str:
    """Escape what would end a table cell, start a new line or open an HTML tag."""
    shown = collapsed(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("](", "]\\(")
    return unmentioned(shown)
