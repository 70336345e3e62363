"""What is searched for a strategy: a domain for each value that is tuned, and the points of a grid or of a draw among them."""

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
"""The name under which the learning rate is tuned; every strategy that trains has it."""
DIGITS = 3
"""Significant digits of what is drawn or spaced, so that a person can write it down."""

Point = dict[str, Any]
"""Name → value of everything that is tuned."""


@dataclass(frozen=True)
class Listed:
    """A value among some."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Tell whether a value is one of them."""
        return value in self.values


@dataclass(frozen=True)
class Span:
    """A number between two ends, both included."""

    low: float
    high: float
    log: bool = False
    """Whether equal ratios, not equal differences, are equally far."""
    whole: bool = False
    """Whether only whole numbers count."""

    def holds(self, value: Any) -> bool:
        """Tell whether a value lies in it."""
        return self.low <= float(value) <= self.high

    def at(self, share: float) -> float:
        """Give the value at a share of the way from the low end to the high one."""
        if self.log:
            found = self.low * (self.high / self.low) ** share
        else:
            found = self.low + share * (self.high - self.low)
        return float(round(found)) if self.whole else min(self.high, max(self.low, rounded(found)))

    def share(self, value: float) -> float:
        """Give how far along the way a value lies; the inverse of `at`."""
        if self.high == self.low:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def typed(self, value: float) -> float | int:
        """Give a number as an option takes it."""
        return round(value) if self.whole else value


Domain = Listed | Span


@dataclass(frozen=True)
class Space:
    """All that is tuned of one strategy on one backbone and target."""

    domains: Mapping[str, Domain]
    default: Point = field(default_factory=dict)
    """What the strategy has untuned, under the same names."""

    def as_json(self) -> dict[str, Any]:
        """Give the domains as a suite would write them; `read_domain` reads each."""
        return {
            name: list(domain.values) if isinstance(domain, Listed) else asdict(domain)
            for name, domain in self.domains.items()
        }

    @property
    def holds_default(self) -> bool:
        """Tell whether the untuned values are a point of the space."""
        return all(domain.holds(self.default[name]) for name, domain in self.domains.items())

    @property
    def size(self) -> float:
        """Count the points; infinite where a number may take any value."""
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
        """Spread `count` points: every combination of what is listed, and equally far steps over the one range there may be.

        Where a step is nearest to the untuned value, it is moved there, so that the untuned values are tried as well.

        Raises:
            UserError: so many points are no grid of this space.
        """
        listed = {name: domain.values for name, domain in self.domains.items() if isinstance(domain, Listed)}
        spans = {name: domain for name, domain in self.domains.items() if isinstance(domain, Span)}
        combinations = math.prod(len(values) for values in listed.values())
        if len(spans) > 1:
            named = " and ".join(spans)
            raise UserError(
                f"a grid steps over one range, and {named} are ranges; list the values of all but one, or search at random"
            )
        steps, rest = divmod(count, combinations)
        if rest or not steps or (not spans and steps > 1):
            filled = f"a multiple of {combinations}" if spans else str(combinations)
            raise UserError(f"a grid of this space takes {filled} tries, and {count} are asked for")
        levels = {name: _levels(span, steps, self.default[name]) for name, span in spans.items()}
        chosen = [levels.get(name) or listed[name] for name in self.domains]
        return [dict(zip(self.domains, values, strict=True)) for values in itertools.product(*chosen)]

    def drawn(self, generator: np.random.Generator) -> Point:
        """Draw a point, every domain by itself, uniformly along its way."""
        found: Point = {}
        for name, domain in self.domains.items():
            if isinstance(domain, Listed):
                found[name] = domain.values[int(generator.integers(len(domain.values)))]
            else:
                found[name] = domain.typed(domain.at(float(generator.random())))
        return found


def _levels(span: Span, count: int, default: Any) -> list[float | int]:
    """Give values equally far from one another, the ends among them."""
    found = [span.at(place / (count - 1)) for place in range(count)] if count > 1 else [span.at(0.5)]
    if span.holds(default):
        shares = [abs(span.share(value) - span.share(default)) for value in found]
        found[shares.index(min(shares))] = float(default)
    return [span.typed(value) for value in dict.fromkeys(found)]


def rounded(value: float) -> float:
    """Give a number with three significant digits."""
    return float(f"{value:.{DIGITS}g}")


def read_domain(given: Any) -> Domain:
    """Read a domain: a list of values, or a table of `low`, `high` and perhaps `log` and `whole`."""
    return Listed(tuple(given)) if isinstance(given, list | tuple) else Span(**given)


def offered(cls: type) -> dict[str, tuple[Any, ...]]:
    """Give the options that a strategy marks as worth tuning, with the values it names."""
    return {
        name: part.values for name in option_names(cls) for part in _metadata(cls, name) if isinstance(part, Tunable)
    }


def what_is_tuned(cls: type) -> str:
    """Say where a strategy's learning rate is searched, who says so, and what else it offers for tuning."""
    found = cls.lr_range  # type: ignore[attr-defined]  # every strategy has one
    if found is None:
        return "nothing: it trains nothing"
    rate = f"its learning rate from {found.low:g} to {found.high:g} times the published one ({found.source})"
    return "; ".join([rate, *(f"{name} {', '.join(map(str, values))}" for name, values in offered(cls).items())])


def _metadata(cls: type, name: str) -> Iterator[Any]:
    """Yield what is written beside the type of an option."""
    yield from getattr(option_type(cls, name), "__metadata__", ())


def is_whole(cls: type, name: str) -> bool | None:
    """Tell whether an option is a whole number; None where it is no number at all, or another plugin."""
    found = option_type(cls, name)
    parts = {found, *get_args(found)}
    if name in nested_options(cls) or not parts & {int, float}:
        return None
    return float not in parts


def space_of(trial: Trial, choice: StrategyChoice, tuning: Tuning, catalog: Catalog) -> Space:
    """Give what is searched for a trial's strategy: what the suite says, else the range and the values the strategy publishes.

    Raises:
        UserError: a value cannot be given to it on this backbone.
    """
    cls = catalog.find("strategies", choice.use)
    domains: dict[str, Domain] = {RATE: _rate_domain(trial, choice.space.get(RATE), catalog)}
    if tuning.options:
        domains |= {name: Listed(values) for name, values in offered(cls).items() if name not in choice.space}
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
    if given is not None:
        return read_domain({"log": True, **given} if isinstance(given, dict) else given)
    strategy = catalog.build("strategies", trial.strategy.use, trial.strategy.options)
    published = strategy.lr(catalog.build("backbones", trial.backbone.use, trial.backbone.options).card())
    return Span(published * strategy.lr_range.low, published * strategy.lr_range.high, log=True)


def _check_values(trial: Trial, space: Space, catalog: Catalog) -> None:
    """Refuse a value that the strategy refuses on the backbone, such as more blocks than it has."""
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
