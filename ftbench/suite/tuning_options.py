"""What a suite says of tuning: the table `[tuning]`, and what a `[[strategy]]` says for itself."""

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
    """Read what a `[[strategy]]` entry says of tuning; gives fields of its choice, and what is wrong with them."""
    space, mistakes = entry.get("space", {}), []
    if not isinstance(space, dict):
        return {}, ["space: must be a table of value = [values], or of value = { low = …, high = … }"]
    if space and cls.lr_range is None:  # type: ignore[attr-defined]  # every strategy has one
        return {}, [f"space: {entry['use']!r} trains nothing, and has nothing to tune"]
    known = (RATE, *(name for name in option_names(cls) if name not in nested_options(cls)))
    for name, domain in space.items():
        if name in entry.get("sweep", {}):
            mistakes.append(f"space.{name}: stands in sweep too, which makes a strategy of each value")
        elif name not in known:
            mistakes.append(f"space.{name}: is nothing that can be tuned{suggestion(name, known)}")
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
    values: Sequence[Any] = ()
    if isinstance(domain, list):
        values = domain
        if not domain:
            yield "is empty; give values, or leave it out"
        if len({repr(value) for value in domain}) < len(domain):
            yield "a value stands twice; it would be the same try"
    elif not isinstance(domain, dict) or not {"low", "high"} <= domain.keys() <= set(_ENDS):
        yield "must be a list of values, or a table of low, high and perhaps log"
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
        return "is no number, and has no range; list its values"
    if not isinstance(log, bool) or not (_is_number(low) and _is_number(high)):
        return "low and high must be numbers, log true or false"
    if not low < high:
        return f"low must be below high, got {low} and {high}"
    if log and not low > 0:
        return f"low must be above 0 where the range is logarithmic, got {low}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value_mistakes(name: str, value: Any, cls: type, options: Mapping[str, Any], catalog: Catalog) -> Iterator[str]:
    if name == RATE:
        if not _is_number(value) or not 0 < value < 10:
            yield f"must hold numbers above 0 and below 10, got {value!r}"
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
    """Say what is wrong with a suite's tuning, and with its strategies under it.

    Above all budgets must be equal: who is tried more often has the better chance of a lucky try.
    """
    if tuning is None and asked:
        return
    if tuning is None:
        for number, choice in enumerate(strategies, 1):
            for key in ("space", "tries", "seconds"):
                if getattr(choice, key):
                    yield f"strategy[{number}].{key}: the suite has no table [tuning] that would use it"
        return
    if (tuning.tries is None) == (tuning.seconds is None):
        yield "tuning: give either tries or seconds, the same for every strategy"
    yield from _search_mistakes(tuning, training)
    shared = sorted(set(tuning.seeds) & set(seeds))
    if shared:
        yield f"tuning.seeds: {shared[0]} is one of the suite's seeds; values are chosen on others than those that count"
    yield from _budget_mistakes(tuning, strategies)


def _search_mistakes(tuning: Tuning, training: Training | None) -> Iterator[str]:
    if tuning.search == "tpe" and find_spec("optuna") is None:
        yield f"tuning.search: 'tpe' {OPTUNA}"
    if tuning.pruning != "none" and find_spec("optuna") is None:
        yield f"tuning.pruning: {tuning.pruning!r} {OPTUNA}"
    if tuning.search == "grid" and tuning.seconds is not None:
        yield "tuning.seconds: a grid that is cut short is no grid; give tries, or search 'random' or 'tpe'"
    if tuning.extend and tuning.seconds is not None:
        yield "tuning.extend: goes with tries: further ones are counted, not timed"
    if tuning.pruning != "none" and len(tuning.seeds) > 1:
        yield "tuning.pruning: stops a try at its own score; give one seed in tuning.seeds"
    if tuning.pruning != "none" and training is not None and training.validations < 2:
        yield f"training.validations: {tuning.pruning!r} needs 2 or more to stop a try before its end, got {training.validations}"


def _budget_mistakes(tuning: Tuning, strategies: Sequence[StrategyChoice]) -> Iterator[str]:
    for number, choice in enumerate(strategies, 1):
        for key in ("tries", "seconds"):
            own, all_others = getattr(choice, key), getattr(tuning, key)
            if own is None:
                continue
            if all_others is None:
                yield f"strategy[{number}].{key}: the suite's budget is in {'seconds' if key == 'tries' else 'tries'}; give that"
            elif own != all_others and not tuning.unequal:
                yield (
                    f"strategy[{number}].{key}: {own:g} where the others have {all_others:g}: a comparison of unequal tuning; give all the "
                    f"same, or set tuning.unequal = true, and they are shown apart"
                )
