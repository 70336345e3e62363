"""Parts that records have in common: equal ones are kept in memory once, and checked once."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import Record

_VARYING = ("seed", "started", "finished")
"""Numbers that differ between records of one configuration; only their kind matters for whether a record is valid."""
_TEXTS = ("orders",)
"""Tables of texts that differ between these records."""
_EXACT = 2**53


class KnownParts:
    """Tables of valid records that were read before, by their form: all that decides whether a record is valid."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def shared(self, record: Record) -> Record | None:
        """Return the record with tables of an earlier one of the same form; None if there is none.

        Nobody may change the tables.
        """
        known = self._records.get(_form(record))
        if known is None:
            return None
        return replace(
            record,
            trial={**known.trial, **_own(record.trial)},
            provenance={**known.provenance, **_own(record.provenance)},
            classes=known.classes,
        )

    def add(self, record: Record) -> None:
        """Note a valid record."""
        self._records[_form(record)] = replace(record, measurements=(), curves=(), confusion={}, samples=())


def _form(record: Record) -> str:
    tables = [{**table, **_kinds(table)} for table in (record.trial, record.provenance)]
    return json.dumps([*tables, record.classes])


def _own(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a table that belong to one record."""
    return {name: table[name] for name in (*_VARYING, *_TEXTS) if name in table}


def _kinds(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return those entries with their kind instead of their value, if only the kind matters."""
    found: dict[str, Any] = {}
    for name in _VARYING:
        value = table.get(name)
        # An integer beyond 2⁵³ or an infinite number is not valid everywhere.
        if type(value) in (int, float) and math.isfinite(value) and abs(value) <= _EXACT:  # type: ignore[arg-type]
            found[name] = (type(value).__name__,)
    for name in _TEXTS:
        value = table.get(name)
        if isinstance(value, dict) and all(type(one) is str for one in value.values()):
            found[name] = ("texts",)
    return found
