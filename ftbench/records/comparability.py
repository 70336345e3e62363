"""What must be equal before two records are compared: data, protocol, software and hardware, each a part of its own."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..fingerprint import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .record import Record

Part = Literal["data", "protocol", "software", "hardware"]
PARTS: tuple[Part, ...] = ("data", "protocol", "software", "hardware")
ABSENT = "absent"
"""How the lack of a field, or of a whole part, is shown: what is not known is equal to nothing."""


@dataclass(frozen=True)
class Difference:
    """One field in which two sets of records differ."""

    field: str
    """Dotted name, the part first: `software.torch`, `protocol.training.digits.batch_size`."""
    first: str
    """Its values in the first set, as JSON; several are joined by commas."""
    second: str
    """Its values in the second set."""

    @property
    def part(self) -> str:
        """The part it is in: one of the four, or `configuration`."""
        return self.field.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.field}: {self.first} → {self.second}"


def parts(record: Record) -> dict[Part, dict[str, Any]]:
    """Give the four parts of a record's comparability fingerprint, as JSON values.

    Data are the tasks with their content and splits, and the pretrained weights; the protocol is how everyone is trained, the
    learning rate apart, which each strategy has of its own. A record without an environment (of a trial that was never started)
    has empty parts for it.
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
    """Give the hash of each part."""
    return {name: digest(value) for name, value in parts(record).items()}


def configuration(record: Record) -> dict[str, Any]:
    """Give what is compared, as JSON values: the strategy, its options, its learning rates, the code of the trial."""
    trial = record.trial
    lr = {stage["task"]["label"]: stage["training"]["lr"] for stage in trial["stages"]}
    return {"strategy": _content(trial["strategy"]), "lr": lr, "code": trial["code"]}


def differences(pairs: Iterable[tuple[Record, Record]], needed: Sequence[Part] = PARTS) -> list[Difference]:
    """List the fields of the needed parts in which records that are to be compared differ, in the order of the parts."""
    return _differing(((parts(one), parts(other)) for one, other in pairs), needed)


def configuration_differences(pairs: Iterable[tuple[Record, Record]]) -> list[Difference]:
    """List the fields in which what is compared differs."""
    named = ("configuration",)
    return _differing(
        (({"configuration": configuration(one)}, {"configuration": configuration(other)}) for one, other in pairs),
        named,
    )


def without(found: Iterable[Difference], allowed: Iterable[str]) -> list[Difference]:
    """Leave out the differences a user allows: each field named, and all that is below it."""
    fields = tuple(allowed)
    return [
        one for one in found if not any(one.field == field or one.field.startswith(f"{field}.") for field in fields)
    ]


def _differing(pairs: Iterable[tuple[Mapping[Any, Any], Mapping[Any, Any]]], names: Sequence[str]) -> list[Difference]:
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
    """Join values, a few of them where there are many."""
    found = list(values)
    return ", ".join(found if len(found) <= _FEW else [*found[:_FEW], f"and {len(found) - _FEW} more"])


_FEW = 4
_MISSING = object()


def _leaves(field: str, first: Any, second: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the dotted names at which two JSON values differ, with both values; an empty part is not known."""
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
    return ABSENT if value is _MISSING else json.dumps(value, sort_keys=True, ensure_ascii=False)
