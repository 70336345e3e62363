"""Write the style sheet of the switches between tasks and between kinds of cost; they work without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ftbench.reporting import Preference

_MOST_STEPS = 20
"""Largest number of steps of an axis that has a grid."""


def switches(tasks: int, kinds: Sequence[Preference]) -> str:
    """Return CSS that shows what is chosen; browsers without `:has()` show everything.

    Args:
        tasks: number of task columns.
        kinds: kinds of cost.
    """
    chosen = "body:has(#{}:checked)"
    rules = [
        grids(),
        "#overview{display:none}" if tasks > 1 else "",
        *(
            f'{chosen.format(f"t-{place}")} [data-t]:not([data-t="{place}"]){{display:none}}'
            for place in range(tasks if tasks > 1 else 0)
        ),
    ]
    rules.append(f"{chosen.format('t-map')} .cards{{display:none}}")
    rules.append(f"{chosen.format('t-map')} #overview{{display:block}}")
    for kind in kinds:
        here = chosen.format(f"c-{kind}") if len(kinds) > 1 else "body"
        rules.append(f"{here} .p:not(.{kind}){{display:none}}")
        rules.append(f"{here} .take-{kind}{{outline:2px solid var(--ink)}}")
        rules.append(f"{here} .is-{kind}>th{{font-weight:700}}{here} .is-{kind} .ring{{opacity:1}}")
    return f"@supports selector(:has(*)){{{''.join(rules)}}}@media print{{.cards,.card{{display:grid!important}}}}"


def grids() -> str:
    """Return the grid of an axis behind its rows, for each number of steps."""
    return "".join(
        f".g{steps}{{background-image:repeating-linear-gradient(to right,var(--faint) 0 1px,#0000 1px "
        f"calc((100% - 1px)/{steps}))}}"
        for steps in range(1, _MOST_STEPS + 1)
    )
