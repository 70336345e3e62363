"""Trials: plain, hashable values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..api.protocol import ADDED_LATER
from ..fingerprint import digest

TRAINING_VERSION = 1
"""Raised when a change of the core changes a result; a test holds a trace and fails when it moves and this does not."""


Role = Literal["final", "try", "default"]
"""A `try` is scored on the validation split alone; what is `final`, and its like with untuned values, `default`, on the test split."""


@dataclass(frozen=True)
class Part:
    """One named part of a trial: a backbone, a task or a strategy, its options complete."""

    use: str
    """The name a plugin offers."""
    label: str
    """What tables call it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option, defaults included."""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    """What decides its content beside the options: hashes of weights or data."""


@dataclass(frozen=True)
class Stage:
    """One task of a trial with its protocol."""

    task: Part
    """What is learnt."""
    training: Mapping[str, Any]
    """The complete `Training`, the learning rate resolved."""


@dataclass(frozen=True)
class Trial:
    """Backbone × task (or sequence) × strategy × seed × protocol."""

    suite: str
    """Name of the suite."""
    target: str
    """Label of the task or sequence: a column of the page."""
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
    """Why the strategy cannot serve this cell; None where it can."""
    probe: bool = True
    """Whether meters may measure once more after scoring what the training was too short for."""
    role: Role = "final"
    """What it is for: a `try` is scored on the validation split alone, and what is `final` or untuned, `default`, on the test split."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What tuning gave it: `lr` and options, which stand in their places too."""
    bars: Bars | None = None
    """Of a try that may be stopped: what it must reach to go on."""
    twin: str = ""
    """Its strategy's label where tuning gave another one of the suite the very same values; the two would be one trial else."""
    choice: Mapping[str, Any] = field(default_factory=dict)
    """How `values` were chosen; no part of its identity: chosen by hand they give the same training."""

    @cached_property
    def cell(self) -> str:
        """Hash of what is compared: data, weights, options, protocol, seed; not the code."""
        return digest({**self.content, "seed": self.seed})

    @property
    def content(self) -> dict[str, Any]:
        """What is compared, whatever the seed."""
        own: dict[str, Any] = {"twin": self.twin} if self.twin else {}
        if self.role == "try":
            # Each place makes its own tries: what one took from another would look cheaper than it is.
            own |= {
                "role": self.role,
                "for": list(self.place[:3]),
                "bars": dataclasses.asdict(self.bars) if self.bars else None,
            }
        return {
            **own,
            "backbone": _content(self.backbone),
            "stages": [{"task": _content(s.task), "training": _said(s.training)} for s in self.stages],
            "strategy": _content(self.strategy),
            "split_seed": self.split_seed,
            "device": self.device,
            "threads": self.threads,
        }

    @cached_property
    def id(self) -> str:
        """Hash of the cell and of the code that computes it."""
        return digest([self.cell, self.code, TRAINING_VERSION])

    @property
    def is_sequence(self) -> bool:
        """Whether several tasks are learnt one after another."""
        return len(self.stages) > 1

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Target, backbone, strategy and seed: what pairs it with a trial of another run."""
        return self.target, self.backbone.label, self.strategy.label, self.seed

    @property
    def name(self) -> str:
        """A short name for people."""
        who = f"{self.target} · {self.backbone.label} · {self.strategy.label}"
        what = {"try": f" · try {valued(self.values)}", "default": " · untuned", "final": ""}[self.role]
        return f"{who}{what} · seed {self.seed}"


def _said(training: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in training.items() if name not in ADDED_LATER or value != ADDED_LATER[name]}


def _content(part: Part) -> dict[str, Any]:
    return {"use": part.use, "options": dict(part.options), "fingerprint": dict(part.fingerprint)}


@dataclass(frozen=True)
class Bars:
    """What a try of tuning must reach while it trains; it is stopped where it does not."""

    metric: str
    """A score of the validation split; empty for the task's primary one."""
    at: tuple[tuple[int, float], ...]
    """Number of a validation, from 1, and the score it must reach there."""
    lower: bool = False
    """Whether a lower score is better."""


def valued(values: Mapping[str, Any]) -> str:
    """Write tuned values: `lr 0.001, rank 8`."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
