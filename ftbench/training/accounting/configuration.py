"""Predict the training cost of a configuration, one strategy on one backbone and task, by simulated training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...api.augmentation import augmentations
from ...api.card import OUTPUT_TYPES
from ...api.footprint import Accounting
from ...api.protocol import Training
from ...api.task_kinds import ClassificationTask
from ...data.chunked import ChunkedEncoded
from ...environment import software
from ...errors import NotApplicable, NotMeasured, UserError
from ...fingerprint import core_sha256, digest, remembered
from ..bench import StageData
from ..seeding import seeds_kept
from .accounting import account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.encoded import Encoded
    from ...api.strategy import Strategy
    from ...api.task import Task
    from ...suite.trial import Trial
    from .accounting import Kernels


OUTLINED = 8
"""Number of examples that represent a split; batches repeat them."""
SAMPLE = 256
"""Number of training examples among which the longest are chosen."""


@dataclass(frozen=True)
class Configuration:
    """One strategy on one backbone and task or sequence of tasks, regardless of the seed."""

    target: str
    """Label of the task or sequence."""
    backbone: str
    """Label of the backbone."""
    strategy: str
    """Label of the strategy."""
    parts: Mapping[str, tuple[str, Mapping[str, Any]]]
    """`backbone` and `strategy` → name and options of the plugin."""
    stages: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...]
    """Of each task: name and options of the plugin, and the complete `Training`."""
    split_seed: int | None = None
    """Seed of the splits whose examples are read; None without data."""
    not_applicable: str | None = None
    """Why the strategy does not apply; None if it does or that is unknown."""

    @property
    def batch_size(self) -> int:
        """Examples per optimizer step."""
        return Training(**self.stages[-1][2]).batch_size


def configuration_of(trial: Trial) -> Configuration:
    """Return the configuration of a trial."""
    return Configuration(
        trial.target,
        trial.backbone.label,
        trial.strategy.label,
        {name: (part.use, part.options) for name, part in (("backbone", trial.backbone), ("strategy", trial.strategy))},
        tuple((stage.task.use, stage.task.options, stage.training) for stage in trial.stages),
        trial.split_seed,
        trial.not_applicable,
    )


def account_configuration(
    configuration: Configuration,
    catalog: Catalog,
    *,
    target: Kernels = "cpu",
    length: float | None = None,
    growth: bool = False,
    seen: Sequence[Encoded] = (),
) -> tuple[Accounting, float]:
    """Count FLOPs and memory of a configuration's training with fake tensors.

    If the data can be read, the batch is as long as the longest of `SAMPLE` training examples. Augmentations are not
    applied.

    Args:
        configuration: the configuration.
        catalog: what the plugins offer.
        target: device type of the simulated kernels.
        length: length of each example in tokens, pixels per side or seconds; by default that of the data, or else the
            default of the task or the network.
        growth: whether to measure how memory grows with the batch.
        seen: the encoded training split of each stage, if it is loaded already.

    Returns:
        The accounting, and the length of an example.

    Raises:
        NotApplicable: the strategy does not apply, or cannot be simulated without values.
        UserError: the network does not support the length, or the task needs data to know its outputs.
    """
    if configuration.not_applicable is not None:
        raise NotApplicable(configuration.not_applicable)
    backbone: Backbone = catalog.build("backbones", *configuration.parts["backbone"])
    strategy: Strategy = catalog.build("strategies", *configuration.parts["strategy"])
    outline = _OutlineStages(configuration, catalog, backbone, length, seen)
    try:
        _check_output_types(strategy, outline.stages)
        return account(backbone, strategy, outline.stages, catalog, target=target, growth=growth), outline.length
    except (NotApplicable, UserError):
        raise
    except Exception as error:
        why = f"cannot be simulated without values: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise NotApplicable(why) from error


def _check_output_types(strategy: Strategy, stages: Sequence[StageData]) -> None:
    for stage in stages:
        if stage.task.answer not in strategy.answers:
            raise NotApplicable(f"it does not support the output type {OUTPUT_TYPES[stage.task.answer]}")


@dataclass(frozen=True)
class _Sample:
    """A few examples that represent a split."""

    examples: Encoded
    length: float
    """Length of the longest as the network's input: tokens, pixels per side, or seconds."""
    split_size: int | None = None
    """Number of examples of the split; None without data."""


@dataclass
class _OutlineStages:
    """The stages of a configuration, with a sample of the examples of each; equal stages share their task and data."""

    configuration: Configuration
    catalog: Catalog
    backbone: Backbone
    requested_length: float | None
    seen: Sequence[Encoded]
    length: float = 0.0
    stages: list[StageData] = field(default_factory=list)

    def __post_init__(self) -> None:
        made: dict[str, StageData] = {}
        for number, stage in enumerate(self.configuration.stages):
            if repr(stage) not in made:
                seen = self.seen[number] if self.seen else None
                made[repr(stage)] = self._stage(*stage, None if isinstance(seen, ChunkedEncoded) else seen)
            self.stages.append(replace(made[repr(stage)], label=f"task {len(self.stages) + 1}"))

    def _stage(
        self, use: str, options: Mapping[str, Any], training: Mapping[str, Any], seen: Encoded | None
    ) -> StageData:
        task: Task = self.catalog.build("tasks", use, options)
        if self.configuration.split_seed is None:
            _check_outputs_known(task, use)
        if seen is None:
            sample = self._sample(task, self.backbone)
        else:
            sample = _longest(task, seen.take(_spread_rows(len(seen))), len(seen))
        self.length = sample.length
        protocol = Training(**training)
        if sample.split_size is not None:
            # No batch is larger than the split.
            sizes = {n: min(getattr(protocol, n), sample.split_size) for n in ("batch_size", "eval_batch_size")}
            protocol = replace(protocol, **sizes)
        if isinstance(task, ClassificationTask):
            task.train_as(protocol, np.asarray(sample.examples.labels))

        def encode(other: Backbone, processor: Any) -> Mapping[str, Encoded]:
            del processor
            return {"train": self._sample(task, other).examples}

        return StageData(
            use, task, protocol, {"train": sample.examples}, encode, _unchanged if augmentations(task) else None
        )

    def _sample(self, task: Task, backbone: Backbone) -> _Sample:
        """Return a sample of examples encoded for a backbone: of the data if possible, otherwise zeros."""
        readable = self.requested_length is None and self.configuration.split_seed is not None
        found = self._read(task, backbone) if readable else None
        if found is not None:
            return found
        default = getattr(task, "max_length", None) or getattr(task, "seconds", None)
        input_spec = backbone.reads(self.requested_length or default)
        return _Sample(task.outline(input_spec, OUTLINED), input_spec.length)

    def _read(self, task: Task, backbone: Backbone) -> _Sample | None:
        """Encode some training examples and return the longest; None if that needs a download first."""
        assert self.configuration.split_seed is not None
        try:
            processor = backbone.load_processor()
        except (UserError, OSError, ValueError):
            return None
        train = task.splits(self.configuration.split_seed).train
        return _longest(task, task.encode([train[row] for row in _spread_rows(len(train))], processor), len(train))


def _spread_rows(count: int) -> list[int]:
    """Choose at most `SAMPLE` of `count` rows, evenly spread."""
    rows: list[int] = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)).tolist()
    return rows


def _longest(task: Task, encoded: Encoded, split_size: int) -> _Sample:
    """Return the longest of some examples of a split."""
    lengths = [_length(task, encoded, row) for row in range(len(encoded))]
    longest = np.argsort(-np.array(lengths), kind="stable")[:OUTLINED].tolist()
    return _Sample(encoded.take(longest), max(lengths), split_size)


def _unchanged(*_: Any) -> None:
    """Replace augmentations: strategies see that the task has some, but examples are not changed."""


def _check_outputs_known(task: Task, use: str) -> None:
    """Check that a task without data knows its number of outputs.

    Raises:
        UserError: it does not.
    """
    try:
        _ = task.outputs
    except UserError:
        raise UserError(
            f"--task: the outputs of {use!r} depend on its data; use a suite that names the data, and --predict"
        ) from None


def _length(task: Task, encoded: Encoded, row: int) -> float:
    """Return the length of an example as the network's input: tokens, pixels per side, or seconds."""
    if task.modality == "speech":
        return float(encoded.units[row])
    return float(task.collate(encoded, [row])[next(iter(encoded.columns))].shape[-1])


def account_once(trial: Trial, catalog: Catalog, cache: Path, seen: Sequence[Encoded] = ()) -> Accounting:
    """Count FLOPs and memory of a trial's training with fake tensors, or read the result for another seed.

    The kernels are those of the trial's device. Sources of randomness are not changed.

    Args:
        trial: the trial.
        catalog: what the plugins offer.
        cache: the cache folder.
        seen: the encoded training split of each stage, if it is loaded already.

    Raises:
        NotMeasured: the training cannot be simulated without values; the message gives the reason.
    """
    target: Kernels = "cuda" if trial.device == "cuda" else "cpu"

    def make() -> dict[str, Any]:
        try:
            return asdict(account_configuration(configuration_of(trial), catalog, target=target, seen=seen)[0])
        except (NotApplicable, UserError) as error:
            return {"reason": str(error)}

    with seeds_kept():
        found = remembered("accounting", digest(_identity(trial, target)), make, cache)
    if "reason" in found:
        raise NotMeasured(found["reason"])
    return Accounting.of_table(found)


def _identity(trial: Trial, target: Kernels) -> dict[str, Any]:
    """Return everything that decides the accounting; the seed does not."""
    return {**trial.content, "code": [trial.code, core_sha256()], "software": software(), "target": target}
