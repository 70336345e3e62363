"""Trials: plain values whose content is hashed into their ids."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..api.protocol import ADDED_LATER
from ..fingerprint import digest

TRAINING_VERSION = 2
"""Increased when a change of the core changes results; a test compares a stored trace and fails if only one changes."""


Role = Literal["final", "try", "default"]
"""`try`: a tuning trial, scored on the validation split only. `final`, and `default` with untuned values: on the test
split."""


@dataclass(frozen=True)
class Part:
    """A backbone, task or strategy of a trial, with all its options."""

    use: str
    """The name a plugin offers."""
    label: str
    """Its name in tables."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option, defaults included."""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    """What determines its content besides the options: hashes of weights or data."""


@dataclass(frozen=True)
class Stage:
    """One task of a trial with its training protocol."""

    task: Part
    """The task."""
    training: Mapping[str, Any]
    """All fields of `Training`, with the learning rate resolved."""
    metric: str = ""
    """The deciding metric; empty for the task's own primary score."""


@dataclass(frozen=True)
class Trial:
    """Backbone × task (or sequence) × strategy × seed × protocol."""

    suite: str
    """Name of the suite."""
    target: str
    """Label of the task or sequence, which is a column of the page."""
    modality: str
    """`text`, `vision` or `speech`."""
    backbone: Part
    stages: tuple[Stage, ...]
    strategy: Part
    seed: int
    split_seed: int
    device: str
    """`cpu` or `cuda`."""
    threads: int
    """CPU threads."""
    profile: str
    """Measuring profile."""
    meters: tuple[str, ...]
    """Names of meters."""
    code: str
    """Hash of the code of backbone, tasks and strategy."""
    not_applicable: str | None = None
    """Why the strategy does not apply to this configuration, or None if it does."""
    probe: bool = True
    """Whether meters may measure again after scoring if the training was too short."""
    role: Role = "final"
    """Purpose of the trial; see `Role`."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Tuned values: `lr` and options; `stages` and `strategy` contain them too."""
    bars: Bars | None = None
    """Pruning thresholds of a tuning trial; None if it cannot be pruned."""
    twin: str = ""
    """Label of its strategy if tuning gave another strategy the same values; otherwise the two would be one trial."""
    choice: Mapping[str, Any] = field(default_factory=dict)
    """How `values` were chosen. Not part of the id, because the same values chosen by hand give the same training."""

    @cached_property
    def cell(self) -> str:
        """Hash of the configuration and the seed: data, weights, options and protocol, but not the code."""
        return digest({**self.content, "seed": self.seed})

    @property
    def content(self) -> dict[str, Any]:
        """The configuration, without the seed."""
        own: dict[str, Any] = {"twin": self.twin} if self.twin else {}
        if self.role == "try":
            # Every strategy runs its own tuning trials: sharing them would make the second one look cheaper.
            own |= {
                "role": self.role,
                "for": list(self.place[:3]),
                "bars": dataclasses.asdict(self.bars) if self.bars else None,
            }
        return {
            **own,
            "backbone": _hashed_part(self.backbone),
            "stages": [_hashed_stage(stage) for stage in self.stages],
            "strategy": _hashed_part(self.strategy),
            "split_seed": self.split_seed,
            "device": self.device,
            "threads": self.threads,
        }

    @cached_property
    def id(self) -> str:
        """Hash of the configuration, the seed and the code."""
        return digest([self.cell, self.code, TRAINING_VERSION])

    @property
    def is_sequence(self) -> bool:
        """Whether it trains on several tasks one after another."""
        return len(self.stages) > 1

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Task column, backbone, strategy and seed: the key that pairs it with a trial of another run."""
        return self.target, self.backbone.label, self.strategy.label, self.seed

    @property
    def name(self) -> str:
        """Short readable name."""
        who = f"{self.target} · {self.backbone.label} · {self.strategy.label}"
        what = {"try": f" · try {valued(self.values)}", "default": " · untuned", "final": ""}[self.role]
        return f"{who}{what} · seed {self.seed}"


def _hashed_stage(stage: Stage) -> dict[str, Any]:
    """Return the content of a stage; the metric only if it is not the task's own, so that old ids stay valid."""
    own = {"metric": stage.metric} if stage.metric else {}
    return {"task": _hashed_part(stage.task), "training": _hashed_training(stage.training), **own}


def _hashed_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol without options added later that have their default, so that old ids stay valid."""
    return {name: value for name, value in training.items() if name not in ADDED_LATER or value != ADDED_LATER[name]}


def _hashed_part(part: Part) -> dict[str, Any]:
    return {"use": part.use, "options": dict(part.options), "fingerprint": dict(part.fingerprint)}


@dataclass(frozen=True)
class Bars:
    """Pruning thresholds of a tuning trial; it stops at the first validation below its threshold."""

    metric: str
    """Name of the validation score; empty for the primary one of the task."""
    at: tuple[tuple[int, float], ...]
    """Number of the validation, from 1, and the score to reach there."""
    lower: bool = False
    """Whether a lower score is better."""


def valued(values: Mapping[str, Any]) -> str:
    """Return tuned values as text: `lr 0.001, rank 8`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
