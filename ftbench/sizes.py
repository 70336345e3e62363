"""Sizes of memory as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def read_size(text: str) -> int | None:
    """Read bytes from a size such as `24GB` (10⁹) or `80GiB` (2³⁰); None where it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", text.strip())
    return int(float(match[1]) * _UNITS[match[2] or ""]) if match else None
