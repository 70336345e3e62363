"""Format numbers with their units, parse sizes, and make untrusted text safe to print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def visible(text: str, keep: str = "") -> str:
    r"""Return `text` with control characters and lone surrogates escaped, such as `\x1b`, except those in `keep`."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def one_line(text: str, letters: int = 400) -> str:
    """Return untrusted text on one line: unprintable characters are escaped, and the text is cut after `letters`."""
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}…"


def collapsed(text: str) -> str:
    """Return untrusted text on one line: runs of whitespace and unprintable characters become one space."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def quantity(value: float, unit: str) -> str:
    """Format a number with its unit: shares in percent, bytes in MiB or GiB, counts with k or M, short times in ms."""
    write = _WRITERS.get(unit)
    if write is not None:
        return write(value)
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _bytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.1f} MiB"


def _operations(value: float) -> str:
    return f"{count(value)}FLOP" if value >= 1e3 else f"{value:.0f} FLOP"


def _time(seconds: float) -> str:
    if 0 < seconds < 0.1:
        return f"{1e3 * seconds:.3g} ms"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def count(value: float) -> str:
    """Format a count: 1,234 as `1.2 k`, 22,713,216 as `22.7 M`."""
    for size, letter in _PREFIXES:
        if value >= size:
            return f"{value / size:.1f} {letter}"
    return f"{value:.0f}"


_WRITERS: dict[str, Callable[[float], str]] = {
    "1": lambda share: f"{100 * share:.1f} %",
    "B": _bytes,
    "parameters": count,
    "s": _time,
    "FLOP": _operations,
    "Hz": lambda value: f"{value / 1e6:.0f} MHz",
    "J": lambda value: f"{value:.0f} J",
    "W": lambda value: f"{value:.0f} W",
}


def read_size(text: str) -> int | None:
    """Return the bytes of a size such as `24GB` (10⁹) or `80GiB` (2³⁰); None if `text` is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", text.strip())
    return int(float(match[1]) * _UNITS[match[2] or ""]) if match else None
