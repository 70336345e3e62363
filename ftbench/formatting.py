"""Numbers as people read them; the units stay the measurement's own."""

from __future__ import annotations


def quantity(value: float, unit: str) -> str:
    """Write a number with its unit: shares as per cent, bytes as MiB or GiB, counts with k and M."""
    if unit == "1":
        return f"{100 * value:.1f} %"
    if unit == "B":
        return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"
    if unit == "parameters":
        return count(value)
    if unit == "s":
        return f"{value:.1f} s" if value < 600 else f"{value / 60:.0f} min"
    if unit in ("J", "W", "Hz"):
        return f"{value / 1e6:.0f} MHz" if unit == "Hz" else f"{value:.0f} {unit}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def count(value: float) -> str:
    """Write a count: 1,234 as `1.2 k`, 22,713,216 as `22.7 M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {letter}"
    return f"{value:.0f}"
