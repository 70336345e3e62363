"""Search spaces: a domain for every tuned value, and grid and random points in them."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from ..api.catalog import nested_options, option_names, option_type
from ..api.strategy import Tunable
from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from ..api.catalog import Catalog
    from .suite import StrategyChoice, Tuning
    from .trial import Trial

RATE = "lr"
"""Name of the learning rate among the tuned values; every strategy that trains has one."""
DIGITS = 3
"""Significant digits of drawn and grid values, so that they are easy to write down."""

Point = dict[str, Any]
"""Name → value of every tuned option."""


@dataclass(frozen=True)
class Listed:
    """A list of values."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Return whether the list contains a value."""
        return value in self.values


@dataclass(frozen=True)
class Span:
    """A range of numbers, both ends included."""

    low: float
    high: float
    log: bool = False
    """Whether the scale is logarithmic."""
    whole: bool = False
    """Whether it contains whole numbers only."""

    def holds(self, value: Any) -> bool:
        """Return whether the range contains a value."""
        return self.low <= float(value) <= self.high

    def at(self, share: float) -> float:
        """Return the value at a share of the range, on its scale; 0 is the low end, 1 the high end."""
        if self.log:
            found = self.low * (self.high / self.low) ** share
        else:
            found = self.low + share * (self.high - self.low)
        return float(round(found)) if self.whole else min(self.high, max(self.low, rounded(found)))

    def share(self, value: float) -> float:
        """Return the share of the range at which a value is; the inverse of `at`."""
        if self.high == self.low:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def typed(self, value: float) -> float | int:
        """Return a number as the option's type: int for a range of whole numbers."""
        return round(value) if self.whole else value


Domain = Listed | Span


@dataclass(frozen=True)
class Space:
    """The tuned values of one strategy on one backbone and task column."""

    domains: Mapping[str, Domain]
    default: Point = field(default_factory=dict)
    """The untuned values, under the same names."""

    def as_json(self) -> dict[str, Any]:
        """Return the domains in the format that a suite uses and `read_domain` reads."""
        return {
            name: list(domain.values) if isinstance(domain, Listed) else asdict(domain)
            for name, domain in self.domains.items()
        }

    @property
    def holds_default(self) -> bool:
        """Whether the untuned values are a point of the space."""
        return all(domain.holds(self.default[name]) for name, domain in self.domains.items())

    @property
    def size(self) -> float:
        """Number of points; infinite if a number may take any value of a range."""
        sizes = []
        for domain in self.domains.values():
            if isinstance(domain, Listed):
                sizes.append(float(len(domain.values)))
            else:
                sizes.append(
                    domain.high - domain.low + 1 if domain.whole else 1.0 if domain.high == domain.low else math.inf
                )
        return math.prod(sizes)

    def grid(self, count: int) -> list[Point]:
        """Return a grid of `count` points: every combination of the lists, and equal steps over at most one range.

        The step nearest to the untuned value is moved to it, so that the grid includes the untuned values.

        Raises:
            UserError: no grid of this space has `count` points.
        """
        listed = {name: domain.values for name, domain in self.domains.items() if isinstance(domain, Listed)}
        spans = {name: domain for name, domain in self.domains.items() if isinstance(domain, Span)}
        combinations = math.prod(len(values) for values in listed.values())
        if len(spans) > 1:
            named = " and ".join(spans)
            raise UserError(
                f"a grid takes one range, and {named} are ranges; list the values of all but one, or search at random"
            )
        steps, rest = divmod(count, combinations)
        if rest or not steps or (not spans and steps > 1):
            filled = f"a multiple of {combinations}" if spans else str(combinations)
            raise UserError(f"a grid of this space needs {filled} tries, got {count}")
        levels = {name: _grid_values(span, steps, self.default[name]) for name, span in spans.items()}
        chosen = [levels.get(name) or listed[name] for name in self.domains]
        return [dict(zip(self.domains, values, strict=True)) for values in itertools.product(*chosen)]

    def drawn(self, generator: np.random.Generator) -> Point:
        """Draw a point: each value independently and uniformly on its domain's scale."""
        found: Point = {}
        for name, domain in self.domains.items():
            if isinstance(domain, Listed):
                found[name] = domain.values[int(generator.integers(len(domain.values)))]
            else:
                found[name] = domain.typed(domain.at(float(generator.random())))
        return found


def _grid_values(span: Span, count: int, default: Any) -> list[float | int]:
    """Return `count` equally spaced values, both ends included; the one nearest to the default is replaced by it."""
    found = [span.at(step / (count - 1)) for step in range(count)] if count > 1 else [span.at(0.5)]
    if span.holds(default):
        shares = [abs(span.share(value) - span.share(default)) for value in found]
        found[shares.index(min(shares))] = float(default)
    return [span.typed(value) for value in dict.fromkeys(found)]


def rounded(value: float) -> float:
    """Return a number rounded to three significant digits."""
    return float(f"{value:.{DIGITS}g}")


def read_domain(given: Any) -> Domain:
    """Read a domain: a list of values, or a table with `low`, `high` and optionally `log` and `whole`."""
    return Listed(tuple(given)) if isinstance(given, list | tuple) else Span(**given)


def tunable_options(cls: type) -> dict[str, tuple[Any, ...]]:
    """Return the options that a strategy marks as worth tuning, with the values it suggests."""
    return {
        name: part.values for name in option_names(cls) for part in _metadata(cls, name) if isinstance(part, Tunable)
    }


def what_is_tuned(cls: type) -> str:
    """Describe the search range of a strategy's learning rate, its source, and the other tunable options."""
    found = cls.lr_range  # type: ignore[attr-defined]  # every strategy has one
    if found is None:
        return "nothing: it does not train"
    rate = f"its learning rate from {found.low:g} to {found.high:g} times the published one ({found.source})"
    return "; ".join(
        [rate, *(f"{name} {', '.join(map(str, values))}" for name, values in tunable_options(cls).items())]
    )


def _metadata(cls: type, name: str) -> Iterator[Any]:
    """Yield the metadata of an option's annotated type."""
    yield from getattr(option_type(cls, name), "__metadata__", ())


def is_whole(cls: type, name: str) -> bool | None:
    """Return whether an option is a whole number; None if it is not a number, or is a nested plugin."""
    found = option_type(cls, name)
    parts = {found, *get_args(found)}
    if name in nested_options(cls) or not parts & {int, float}:
        return None
    return float not in parts


def space_of(trial: Trial, choice: StrategyChoice, tuning: Tuning, catalog: Catalog) -> Space:
    """Return the search space of a trial's strategy: from the suite, or by default from what the strategy publishes.

    Raises:
        UserError: the strategy refuses a value of the space on this backbone.
    """
    cls = catalog.find("strategies", choice.use)
    domains: dict[str, Domain] = {RATE: _rate_domain(trial, choice.space.get(RATE), catalog)}
    if tuning.options:
        domains |= {name: Listed(values) for name, values in tunable_options(cls).items() if name not in choice.space}
    for name, given in choice.space.items():
        if name != RATE:
            domains[name] = read_domain(
                {**given, "whole": bool(is_whole(cls, name))} if isinstance(given, dict) else given
            )
    default = {RATE: trial.stages[-1].training["lr"]} | {
        name: trial.strategy.options[name] for name in domains if name != RATE
    }
    space = Space(domains, default)
    _check_values(trial, space, catalog)
    return space


def _rate_domain(trial: Trial, given: Any, catalog: Catalog) -> Domain:
    """Return the domain of the learning rate: as given, or by default the range that the strategy publishes."""
    if given is not None:
        return read_domain({"log": True, **given} if isinstance(given, dict) else given)
    strategy = catalog.build("strategies", trial.strategy.use, trial.strategy.options)
    published = strategy.lr(catalog.build("backbones", trial.backbone.use, trial.backbone.options).card())
    return Span(published * strategy.lr_range.low, published * strategy.lr_range.high, log=True)


def _check_values(trial: Trial, space: Space, catalog: Catalog) -> None:
    """Check that the strategy accepts every value on the backbone: for example, no more blocks than it has.

    Raises:
        UserError: it refuses one.
    """
    card = catalog.build("backbones", trial.backbone.use, trial.backbone.options).card()
    for name, domain in space.domains.items():
        values: Sequence[Any] = (
            domain.values if isinstance(domain, Listed) else (domain.typed(domain.low), domain.typed(domain.high))
        )
        for value in values if name != RATE else ():
            try:
                catalog.build("strategies", trial.strategy.use, {**trial.strategy.options, name: value}).check(card)
            except UserError as error:
                raise UserError(*(f"space.{name}: {value!r}: {line}" for line in error.mistakes)) from None
