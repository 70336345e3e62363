"""Select trials of a plan by name, or by a shard that is the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .trial import Trial


@dataclass(frozen=True)
class Shard:
    """One of several shards of a plan, of nearly equal size."""

    number: int
    """Number of this shard, from 1."""
    of: int
    """Number of shards."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse text such as `2/4`.

        Raises:
            UserError: the text is not a shard.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UserError(f"--shard {text}: must be i/n with 1 ≤ i ≤ n, such as 2/4")
        return cls(int(number), int(of))


@dataclass(frozen=True)
class Chosen:
    """A selection of trials; all by default."""

    only: tuple[str, ...] = ()
    """Patterns; at least one must match the trial's name, as `ftbench plan` shows it, or the start of its id."""
    exclude: tuple[str, ...] = ()
    """Patterns of which none may match."""
    shard: Shard | None = None

    def among(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the selected trials, in their order.

        Raises:
            UserError: a pattern matches no trial.
        """
        for option, patterns in (("--only", self.only), ("--exclude", self.exclude)):
            for pattern in patterns:
                if trials and not any(matches(pattern, trial.id, trial.name) for trial in trials):
                    raise UserError(f"{option} {pattern}: matches no trial; trial names are such as '{trials[0].name}'")
        # Sorted by id, so that a shard does not depend on the order of the plan.
        mine = (
            {t.id for t in sorted(trials, key=lambda t: t.id)[self.shard.number - 1 :: self.shard.of]}
            if self.shard
            else None
        )
        return [trial for trial in trials if (mine is None or trial.id in mine) and self._is_selected(trial)]

    def _is_selected(self, trial: Trial) -> bool:
        wanted = not self.only or any(matches(pattern, trial.id, trial.name) for pattern in self.only)
        return wanted and not any(matches(pattern, trial.id, trial.name) for pattern in self.exclude)


def matches(pattern: str, identity: str, name: str) -> bool:
    """Return whether a pattern with `*` and `?` occurs in a name, ignoring case, or starts an id."""
    return identity.startswith(pattern) or fnmatchcase(name.casefold(), f"*{pattern.casefold()}*")
