"""Read and check the tuning options of a suite: the table `[tuning]` and the keys of a `[[strategy]]` entry."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..api.catalog import nested_options, option_names
from ..errors import suggestion
from .search_space import RATE, is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..api.catalog import Catalog
    from ..api.protocol import Training
    from .suite import StrategyChoice, Tuning

_ENDS = ("low", "high", "log")
OPTUNA = "needs optuna, which is not installed; `pip install 'ftbench[tuning]'` installs it"


def read_own_tuning(
    entry: Mapping[str, Any], cls: type, options: Mapping[str, Any], catalog: Catalog
) -> tuple[dict[str, Any], list[str]]:
    """Read the tuning keys of a `[[strategy]]` entry.

    Returns:
        Fields of its `StrategyChoice`, and mistakes.
    """
    space, mistakes = entry.get("space", {}), []
    if not isinstance(space, dict):
        return {}, ["space: must be a table of option = [values], or of option = { low = …, high = … }"]
    if space and cls.lr_range is None:  # type: ignore[attr-defined]  # every strategy has one
        return {}, [f"space: {entry['use']!r} does not train and has nothing to tune"]
    known = (RATE, *(name for name in option_names(cls) if name not in nested_options(cls)))
    for name, domain in space.items():
        if name in entry.get("sweep", {}):
            mistakes.append(f"space.{name}: is also in sweep, which makes one strategy per value")
        elif name not in known:
            mistakes.append(f"space.{name}: cannot be tuned{suggestion(name, known)}")
        else:
            mistakes.extend(
                f"space.{name}: {mistake}" for mistake in _domain_mistakes(name, domain, cls, options, catalog)
            )
    own: dict[str, Any] = {"space": dict(space)}
    for key, kinds, what in (
        ("tries", (int,), "a whole number of 1 or more"),
        ("seconds", (int, float), "a number above 0"),
    ):
        value = entry.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or not value > 0):
            mistakes.append(f"{key}: must be {what}, got {value!r}")
        elif value is not None:
            own[key] = value
    return own, mistakes


def _domain_mistakes(name: str, domain: Any, cls: type, options: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    """Check the domain of one tuned option."""
    values: Sequence[Any] = ()
    if isinstance(domain, list):
        values = domain
        if not domain:
            yield "is empty; give values, or leave it out"
        if len({repr(value) for value in domain}) < len(domain):
            yield "a value occurs twice; it would repeat a tuning trial"
    elif not isinstance(domain, dict) or not {"low", "high"} <= domain.keys() <= set(_ENDS):
        yield "must be a list of values, or a table of low, high and optionally log"
    else:
        values = [domain["low"], domain["high"]]
        wrong = _range_mistake(name, domain, cls)
        if wrong:
            yield wrong
            return
    for value in values:
        yield from _value_mistakes(name, value, cls, options, catalog)


def _range_mistake(name: str, domain: Mapping[str, Any], cls: type) -> str:
    low, high, log = domain["low"], domain["high"], domain.get("log", name == RATE)
    if name != RATE and is_whole(cls, name) is None:
        return "is not a number and has no range; list its values"
    if not isinstance(log, bool) or not (_is_number(low) and _is_number(high)):
        return "low and high must be numbers, log true or false"
    if not low < high:
        return f"low must be below high, got {low} and {high}"
    if log and not low > 0:
        return f"low must be above 0 on a logarithmic scale, got {low}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value_mistakes(name: str, value: Any, cls: type, options: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    if name == RATE:
        if not _is_number(value) or not 0 < value < 10:
            yield f"must contain numbers above 0 and below 10, got {value!r}"
        return
    for where, mistake in catalog.mistakes(cls, {**options, name: value}):
        if where.partition("[")[0].partition(".")[0] == name:
            yield mistake


def tuning_mistakes(
    tuning: Tuning | None,
    strategies: Sequence[StrategyChoice],
    seeds: Sequence[int],
    training: Training | None,
    *,
    asked: bool,
) -> Iterator[str]:
    """Check the tuning of a suite and the tuning keys of its strategies.

    Budgets must be equal, because more tuning trials give a better chance of a lucky one.

    Args:
        tuning: the table `[tuning]`; None if it is missing or invalid.
        strategies: the strategies of the suite.
        seeds: the seeds of the suite.
        training: the training protocol; None if it is invalid.
        asked: whether the suite has a table `[tuning]`.
    """
    if tuning is None and asked:
        return
    if tuning is None:
        for number, choice in enumerate(strategies, 1):
            for key in ("space", "tries", "seconds"):
                if getattr(choice, key):
                    yield f"strategy[{number}].{key}: has no effect without a table [tuning]"
        return
    if (tuning.tries is None) == (tuning.seconds is None):
        yield "tuning: give either tries or seconds, the same for every strategy"
    yield from _search_mistakes(tuning, training)
    shared = sorted(set(tuning.seeds) & set(seeds))
    if shared:
        yield f"tuning.seeds: {shared[0]} is also in seeds; tune on other seeds than the final trials use"
    yield from _budget_mistakes(tuning, strategies)


def _search_mistakes(tuning: Tuning, training: Training | None) -> Iterator[str]:
    if tuning.search == "tpe" and find_spec("optuna") is None:
        yield f"tuning.search: 'tpe' {OPTUNA}"
    if tuning.pruning != "none" and find_spec("optuna") is None:
        yield f"tuning.pruning: {tuning.pruning!r} {OPTUNA}"
    if tuning.search == "grid" and tuning.seconds is not None:
        yield "tuning.seconds: a grid needs a number of tries; give tries, or set search to 'random' or 'tpe'"
    if tuning.extend and tuning.seconds is not None:
        yield "tuning.extend: needs tries instead of seconds, because extensions are counted"
    if tuning.pruning != "none" and len(tuning.seeds) > 1:
        yield "tuning.pruning: compares single trials; give one seed in tuning.seeds"
    if tuning.pruning != "none" and training is not None and training.validations < 2:
        needed = f"{tuning.pruning!r} needs 2 or more to prune a trial before its end"
        yield f"training.validations: {needed}, got {training.validations}"


def _budget_mistakes(tuning: Tuning, strategies: Sequence[StrategyChoice]) -> Iterator[str]:
    for number, choice in enumerate(strategies, 1):
        for key in ("tries", "seconds"):
            own, all_others = getattr(choice, key), getattr(tuning, key)
            if own is None:
                continue
            if all_others is None:
                unit = "seconds" if key == "tries" else "tries"
                yield f"strategy[{number}].{key}: the suite's budget is in {unit}; give {unit}"
            elif own != all_others and not tuning.unequal:
                yield (
                    f"strategy[{number}].{key}: {own:g}, but the others have {all_others:g}; "
                    "give all the same budget, or set tuning.unequal = true to report them separately"
                )
