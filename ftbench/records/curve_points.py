"""Points of a learning curve, packed into one array per column: a mapping per point takes eight times the memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from ..api.measurement import Number

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_GAP = math.nan
"""Marks a value that a point lacks; numbers of a record are finite."""


class Points(Sequence[dict[str, float]]):
    """A sequence of points, each a mapping of names to numbers, kept and written as columns."""

    __slots__ = ("_columns", "_gaps", "_size")

    def __init__(self, points: Iterable[Mapping[str, float]] | Mapping[str, Sequence[float | None]] = ()) -> None:
        """Pack points.

        Args:
            points: the points, or their columns, in which None marks a value that a point lacks.

        Raises:
            ValueError: the columns differ in length.
        """
        self._columns: dict[str, array[float]]
        self._gaps: frozenset[str] = frozenset()
        if isinstance(points, Mapping):
            self._pack_columns(points)
        else:
            self._pack_points(points if isinstance(points, list | tuple) else list(points))

    def _pack_columns(self, columns: Mapping[str, Sequence[float | None]]) -> None:
        sizes = set(map(len, columns.values()))
        if len(sizes) > 1:
            message = "the columns of a curve differ in length"
            raise ValueError(message)
        self._size = max(sizes, default=0)
        try:
            self._columns = {name: array("d", values) for name, values in columns.items()}  # type: ignore[arg-type]
        except TypeError:  # None is no number
            self._gaps = frozenset(name for name, values in columns.items() if None in values)
            self._columns = {
                name: array("d", [_GAP if value is None else value for value in values])
                for name, values in columns.items()
            }

    def _pack_points(self, points: Sequence[Mapping[str, float]]) -> None:
        self._size = len(points)
        kinds = dict.fromkeys(map(tuple, points))
        names = dict.fromkeys(name for kind in kinds for name in kind)
        self._gaps = frozenset(name for name in names if any(name not in kind for kind in kinds))
        self._columns = {name: array("d", [point.get(name, _GAP) for point in points]) for name in names}

    def column(self, name: str) -> Sequence[float]:
        """Return the values of all points that have one of this name."""
        values = self._columns.get(name, array("d"))
        return [value for value in values if not math.isnan(value)] if name in self._gaps else values

    def has(self, names: frozenset[str]) -> bool:
        """Return whether every point has a value of each of these names."""
        return not self._size or (names <= self._columns.keys() and not names & self._gaps)

    def columns(self) -> dict[str, list[float] | list[float | None]]:
        """Return all columns as lists; None marks a value that a point lacks."""
        return {
            name: [None if math.isnan(value) else value for value in values] if name in self._gaps else values.tolist()
            for name, values in self._columns.items()
        }

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> dict[str, float]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, float]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, float] | list[dict[str, float]]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._size))]
        number = range(self._size)[place]
        return {
            name: value
            for name, values in self._columns.items()
            if not math.isnan(value := values[number]) or name not in self._gaps
        }

    def __iter__(self) -> Iterator[dict[str, float]]:
        return map(self.__getitem__, range(self._size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to sequences of mappings, which have no hash

    def __repr__(self) -> str:
        return repr(tuple(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read columns, or a list of points, as records had it before."""
        from pydantic_core import core_schema

        del source
        forms = {"columns": dict[str, tuple[Number | None, ...]], "points": tuple[dict[str, Number], ...]}
        return core_schema.tagged_union_schema(
            {
                name: core_schema.no_info_after_validator_function(cls, handler.generate_schema(form))
                for name, form in forms.items()
            },
            discriminator=lambda given: "columns" if isinstance(given, dict) else "points",
        )
