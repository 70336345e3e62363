"""Which trials of a plan are meant: by their names, or by a share that is the same on every machine."""

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
    """One of several shares of a plan, as equal as can be."""

    number: int
    """From 1."""
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `2/4`.

        Raises:
            UserError: it is no share.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UserError(f"--shard {text}: must be i/n with 1 ≤ i ≤ n, such as 2/4")
        return cls(int(number), int(of))


@dataclass(frozen=True)
class Chosen:
    """A choice among trials; all by default."""

    only: tuple[str, ...] = ()
    """Patterns of which one at least must be found in a trial's name, as `ftbench plan` shows it, or begin its id."""
    exclude: tuple[str, ...] = ()
    """Patterns of which none may."""
    shard: Shard | None = None

    def among(self, trials: Sequence[Trial]) -> list[Trial]:
        """Give those that are meant, in the order they stand in.

        Raises:
            UserError: a pattern is found nowhere.
        """
        for option, patterns in (("--only", self.only), ("--exclude", self.exclude)):
            for pattern in patterns:
                if trials and not any(matches(pattern, trial.id, trial.name) for trial in trials):
                    raise UserError(
                        f"{option} {pattern}: found in no trial's name; they are such as '{trials[0].name}'"
                    )
        # By their ids, so that a share does not depend on the order a plan has.
        mine = (
            {t.id for t in sorted(trials, key=lambda t: t.id)[self.shard.number - 1 :: self.shard.of]}
            if self.shard
            else None
        )
        return [trial for trial in trials if (mine is None or trial.id in mine) and self._means(trial)]

    def _means(self, trial: Trial) -> bool:
        wanted = not self.only or any(matches(pattern, trial.id, trial.name) for pattern in self.only)
        return wanted and not any(matches(pattern, trial.id, trial.name) for pattern in self.exclude)


def matches(pattern: str, identity: str, name: str) -> bool:
    """Tell whether a pattern, `*` and `?` standing for anything, is found in a name or begins an id; capitals count the same."""
    return identity.startswith(pattern) or fnmatchcase(name.casefold(), f"*{pattern.casefold()}*")
