"""The `ftbench recommend` command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import click

from ..errors import UserError, suggestion
from ..formatting import read_size, visible, visible_json
from .renamed_options import RenamedOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..analysis.recommendation import Limit
    from ..analysis.summary import Summary

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class _RecommendCommand(RenamedOptions):
    renamed: ClassVar = {"--target": "--task"}


@click.command(name="recommend", cls=_RecommendCommand)
@click.argument("run", type=click.Path())
@click.option(
    "--max-memory",
    metavar="SIZE",
    help="Available memory, such as 16GB: of the GPU if it was measured, otherwise of the host.",
)
@click.option(
    "--min",
    "least",
    multiple=True,
    metavar="NAME=VALUE",
    help="Smallest accepted value of a measurement. May be repeated.",
)
@click.option(
    "--max",
    "most",
    multiple=True,
    metavar="NAME=VALUE",
    help="Largest accepted value of a measurement. May be repeated.",
)
@click.option(
    "--prefer",
    metavar="NAME",
    help="Kind of cost that chooses among strategies that could be the best: memory, time, parameters or price; or a "
    "measurement to optimise instead of the primary score. [default: that of the suite, or memory]",
)
@click.option(
    "--task",
    "targets",
    multiple=True,
    metavar="LABEL",
    help="Recommend for this task or sequence. May be repeated. [default: all]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="Output format.",
)
def command(run: str, **asked: Any) -> None:
    """Recommend a strategy for every task of RUN, a run directory or a bundle.

    Without limits, this is the answer of the page: of the strategies that could be the best, the cheapest; within 10 %
    of the least cost, the one with the best mean. With limits, the same among the strategies that meet all of them. A
    limit is met if the whole 95 % interval is within it.

    \b
    ftbench recommend runs/imdb --max-memory 16GB --min accuracy=0.9 --max charged_train_time=30m --prefer throughput
    """  # noqa: D301 - click needs the backspace character itself
    from ..analysis.recommendation import recommend
    from ..notebook import read_summary
    from .recommendation_text import as_json, as_markdown

    summary = read_summary(run)
    labels = [target.label for target in summary.targets]
    targets: Sequence[str] = asked["targets"]
    mistakes = [
        f"--task: {run} has no task or sequence {name!r}{suggestion(name, labels)}"
        for name in targets
        if name not in labels
    ]
    units = _units(summary, [name for name in targets if name in labels])
    limits = _memory(asked["max_memory"], units, mistakes)
    for option, texts in (("--min", asked["least"]), ("--max", asked["most"])):
        limits += [limit for text in texts if (limit := _limit(option, text, units, mistakes)) is not None]
    if asked["prefer"] is not None:
        _check_preference(asked["prefer"], summary, units, mistakes)
    if mistakes:
        raise UserError(*mistakes)
    found = recommend(summary, limits, asked["prefer"], targets)
    click.echo(
        visible_json(as_json(summary, limits, found))
        if asked["form"] == "json"
        else visible(as_markdown(summary, limits, found), "\n"),
        nl=False,
    )


def _units(summary: Summary, targets: Sequence[str]) -> dict[str, str]:
    """Return measurement → unit for every measurement with a value in the selected task columns."""
    return {
        name: quantity.unit
        for target in summary.targets
        if not targets or target.label in targets
        for contender in target.contenders
        for name, quantity in contender.quantities.items()
        if quantity.estimate is not None
    }


def _memory(size: str | None, units: Mapping[str, str], mistakes: list[str]) -> list[Limit]:
    from ..analysis.recommendation import MEMORY, Limit

    if size is None:
        return []
    bound = read_size(size)
    if bound is None:
        mistakes.append(f"--max-memory: {size!r} is not a size; give one such as 16GB or 16GiB")
    elif not any(name in units for name in MEMORY):
        mistakes.append(
            "--max-memory: this run did not measure memory; add the meter 'memory' or 'energy' to its suite"
        )
    return [] if bound is None else [Limit(MEMORY, float(bound), at_least=False)]


def _limit(option: str, text: str, units: Mapping[str, str], mistakes: list[str]) -> Limit | None:
    from ..analysis.recommendation import Limit

    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        mistakes.append(f"{option}: {text!r} is not of the form NAME=VALUE, such as accuracy=0.9")
    elif name not in units:
        mistakes.append(f"{option}: this run has no measurement {name!r}{suggestion(name, units)}")
    elif (bound := _value(value, units[name])) is None:
        mistakes.append(f"{option}: {name}: {value!r} is not a value in {_unit_help(units[name])}")
    else:
        return Limit((name,), bound, at_least=option == "--min")
    return None


def _value(text: str, unit: str) -> float | None:
    """Read a number; also percentages for shares, sizes for bytes and durations for seconds."""
    match = re.fullmatch(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\D*)", text)
    if match is None:
        return None
    number, suffix = float(match[1]), match[2]
    if not suffix:
        return number
    if unit == "1" and suffix == "%":
        return number / 100
    if unit == "B":
        size = read_size(text)
        return None if size is None else float(size)
    return number * _SECONDS[suffix] if unit == "s" and suffix in _SECONDS else None


def _unit_help(unit: str) -> str:
    return {
        "1": "shares: give 0.9 or 90%",
        "B": "bytes: give 16GB or 16GiB",
        "s": "seconds: give 90, 90s, 5m or 1h",
    }.get(unit, unit)


def _check_preference(prefer: str, summary: Summary, units: Mapping[str, str], mistakes: list[str]) -> None:
    from ..analysis.answer import COSTS, PREFERENCES

    if prefer in PREFERENCES:
        known = COSTS[next(kind for kind in PREFERENCES if kind == prefer)]
        if not any(name in units for name in known):
            mistakes.append(f"--prefer: this run did not measure {prefer}: {' or '.join(known)}")
        return
    if prefer not in units:
        mistakes.append(f"--prefer: this run has no measurement {prefer!r}{suggestion(prefer, [*PREFERENCES, *units])}")
        return
    directions = {
        c.quantities[prefer].direction for t in summary.targets for c in t.contenders if prefer in c.quantities
    }
    if directions == {"none"}:
        mistakes.append(f"--prefer: {prefer} has no better direction")
