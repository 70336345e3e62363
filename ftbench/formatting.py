"""Format numbers with their units, parse sizes, and make untrusted text safe to print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
"""Controls, zero-width characters, and those that change the direction of text, separate lines or are half a pair."""
_COMMAND = re.compile(r"(?<=##)(?=\[)|(?m:^(?=\s*::))")
"""Where a workflow command of GitHub Actions would begin: `##[…]` anywhere in a line, `::…` at its beginning."""


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def visible(text: str, keep: str = "") -> str:
    r"""Return untrusted text that is safe on terminals and in logs.

    Characters that cannot be seen are escaped, such as `\x1b`, except those in `keep`; a backslash breaks what GitHub
    Actions would take for a command.
    """
    return _inert(_HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text))


def _inert(text: str) -> str:
    return _COMMAND.sub(r"\\", text)


def visible_json(text: str) -> str:
    """Return JSON text with the same values that is safe on terminals and in logs."""
    text = re.sub("##(?=\\[)", r"#\\u0023", text)
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\t" else _json_escaped(found[0]), text)


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def one_line(text: str, letters: int = 400) -> str:
    """Return untrusted text on one line: unprintable characters are escaped, and the text is cut after `letters`."""
    shown = _inert("".join(letter if letter.isprintable() else _escaped(letter) for letter in text))
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}…"


def collapsed(text: str) -> str:
    """Return untrusted text on one line: runs of whitespace and unprintable characters become one space."""
    return _inert(" ".join("".join(letter if letter.isprintable() else " " for letter in text).split()))


def unmentioned(text: str) -> str:
    """Return Markdown in which no `@name` notifies anybody."""
    return _MENTION.sub("@ ", text)


_MENTION = re.compile(r"(?<!\w)@(?=\w)")


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
