"""Check what must be equal before two records are compared: data, protocol, software and hardware."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..fingerprint import digest
from ..formatting import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .record import Record

Part = Literal["data", "protocol", "software", "hardware"]
PARTS: tuple[Part, ...] = ("data", "protocol", "software", "hardware")
ABSENT = "absent"
"""Text for a missing field or part; an unknown value differs from every other, also from another unknown one."""


@dataclass(frozen=True)
class Difference:
    """One field in which two sets of records differ."""

    field: str
    """Dotted name that begins with the part: `software.torch`, `protocol.training.digits.batch_size`."""
    first: str
    """Its values in the first set, as JSON, separated by commas."""
    second: str
    """Its values in the second set."""

    @property
    def part(self) -> str:
        """The part the field is in: one of the four, or `configuration`."""
        return self.field.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.field}: {self.first} → {self.second}"


def parts(record: Record) -> dict[Part, dict[str, Any]]:
    """Return the four parts of a record's comparability fingerprint, as JSON values.

    Data are the tasks with their content and splits, and the pretrained weights. The protocol is how all strategies are
    trained, without the learning rate, which each strategy sets itself. Software and hardware are empty in a record
    without an environment, of a trial that never started.
    """
    trial, provenance = record.trial, record.provenance
    splits = provenance.get("splits", {})
    data = {
        "split_seed": trial["split_seed"],
        "backbone": _content(trial["backbone"]),
        "task": {
            stage["task"]["label"]: {**_content(stage["task"]), **_split(splits, stage)} for stage in trial["stages"]
        },
    }
    training = {
        stage["task"]["label"]: {k: v for k, v in stage["training"].items() if k != "lr"} for stage in trial["stages"]
    }
    protocol = {"training": training, "device": trial["device"], "threads": trial["threads"]}
    return {
        "data": data,
        "protocol": protocol,
        "software": dict(provenance.get("software", {})),
        "hardware": dict(provenance.get("hardware", {})),
    }


def _split(splits: Mapping[str, str], stage: Mapping[str, Any]) -> dict[str, str]:
    label = stage["task"]["label"]
    return {"splits": splits[label]} if label in splits else {}


def _content(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"use": part["use"], "options": part["options"], "fingerprint": part["fingerprint"]}


def digests(record: Record) -> dict[Part, str]:
    """Return the hash of each part."""
    return {name: digest(value) for name, value in parts(record).items()}


def configuration(record: Record) -> dict[str, Any]:
    """Return what is compared, as JSON values: the strategy, its options, its learning rates, the trial's code."""
    trial = record.trial
    lr = {stage["task"]["label"]: stage["training"]["lr"] for stage in trial["stages"]}
    return {"strategy": _content(trial["strategy"]), "lr": lr, "code": trial["code"]}


def differences(pairs: Iterable[tuple[Record, Record]], needed: Sequence[Part] = PARTS) -> list[Difference]:
    """List the fields of the needed parts in which paired records differ, in the order of the parts."""
    # Records of one run share their tables, so most pairs are the same ones again.
    distinct = {(*_tables(one), *_tables(other)): (one, other) for one, other in list(pairs)}
    return _differences(((parts(one), parts(other)) for one, other in distinct.values()), needed)


def _tables(record: Record) -> tuple[object, ...]:
    """Return the identities of all tables that `parts` reads, and their values that are not tables."""
    trial, provenance = record.trial, record.provenance
    tables = (trial["stages"], trial["backbone"], *map(provenance.get, ("splits", "software", "hardware")))
    return (*map(id, tables), trial["split_seed"], trial["device"], trial["threads"])


def configuration_differences(pairs: Iterable[tuple[Record, Record]]) -> list[Difference]:
    """List the fields in which the compared configurations differ."""
    named = ("configuration",)
    return _differences(
        (({"configuration": configuration(one)}, {"configuration": configuration(other)}) for one, other in pairs),
        named,
    )


def without(found: Iterable[Difference], allowed: Iterable[str]) -> list[Difference]:
    """Return the differences except in the allowed fields and the fields below them."""
    fields = tuple(allowed)
    return [
        one for one in found if not any(one.field == field or one.field.startswith(f"{field}.") for field in fields)
    ]


def _differences(
    pairs: Iterable[tuple[Mapping[Any, Any], Mapping[Any, Any]]], names: Sequence[str]
) -> list[Difference]:
    values: dict[str, tuple[dict[str, None], dict[str, None]]] = defaultdict(lambda: ({}, {}))
    for one, other in pairs:
        for name in names:
            for field, first, second in _leaves(name, one[name], other[name]):
                values[field][0][first] = None
                values[field][1][second] = None
    order = {name: number for number, name in enumerate(names)}
    found = [Difference(field, _listed(first), _listed(second)) for field, (first, second) in values.items()]
    return sorted(found, key=lambda one: (order[one.part], one.field))


def _listed(values: Iterable[str]) -> str:
    """Join values with commas; of many, only the first few."""
    found = list(values)
    return ", ".join(found if len(found) <= _FEW else [*found[:_FEW], f"and {len(found) - _FEW} more"])


_FEW = 4
_MISSING = object()


def _leaves(field: str, first: Any, second: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the dotted names at which two JSON values differ, with both values; an empty part counts as unknown."""
    if field in PARTS and not (first and second):
        yield field, _shown(first or _MISSING), _shown(second or _MISSING)
    elif isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            yield from _leaves(f"{field}.{key}", first.get(key, _MISSING), second.get(key, _MISSING))
    elif (
        first is _MISSING
        or second is _MISSING
        or json.dumps(first, sort_keys=True) != json.dumps(second, sort_keys=True)
    ):
        yield field, _shown(first), _shown(second)


def _shown(value: Any) -> str:
    return ABSENT if value is _MISSING else one_line(json.dumps(value, sort_keys=True, ensure_ascii=False))
