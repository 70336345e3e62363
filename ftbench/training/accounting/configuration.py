"""One strategy on one backbone and task, whatever the seed: what its training takes, gone through without values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...api.augmentable import augmentations
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
"""Examples that stand for a split; batches repeat them."""
SAMPLE = 256
"""Training examples that are looked at for the longest."""


@dataclass(frozen=True)
class Configuration:
    """One strategy on one backbone and task, or sequence of tasks."""

    target: str
    """Label of the task or sequence."""
    backbone: str
    """Label of the backbone."""
    strategy: str
    """Label of the strategy."""
    parts: Mapping[str, tuple[str, Mapping[str, Any]]]
    """`backbone` and `strategy`, each as a plugin's name and its options."""
    stages: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...]
    """Tasks: a plugin's name, its options, the complete `Training`."""
    split_seed: int | None = None
    """Decides the splits whose examples are looked at; None where there are no data."""
    not_applicable: str | None = None
    """Why the strategy cannot serve; None where it can, or where that is not known."""

    @property
    def batch_size(self) -> int:
        """Examples of an optimizer step."""
        return Training(**self.stages[-1][2]).batch_size


def configuration_of(trial: Trial) -> Configuration:
    """Give the cell a trial is of."""
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
    cell: Configuration,
    catalog: Catalog,
    *,
    target: Kernels = "cpu",
    length: float | None = None,
    growth: bool = False,
    seen: Sequence[Encoded] = (),
) -> tuple[Accounting, float]:
    """Account for the training of a cell with fake tensors.

    The batch is as long as the longest of `SAMPLE` training examples where the data can be read. Examples are never augmented.

    Args:
        cell: what is trained.
        catalog: what the plugins offer.
        target: whose kernels.
        length: tokens, pixels of a side, or seconds of each example; by default that of the data, or what task or network says.
        growth: whether to find out how memory grows with the batch.
        seen: the training split of each stage as the backbone reads it, where that is known already.

    Returns:
        The accounting, and the length of an example.

    Raises:
        NotApplicable: the strategy cannot serve, or cannot be gone through without values.
        UserError: a length is asked for that a network does not read, or a task cannot tell what it is without data.
    """
    if cell.not_applicable is not None:
        raise NotApplicable(cell.not_applicable)
    backbone: Backbone = catalog.build("backbones", *cell.parts["backbone"])
    strategy: Strategy = catalog.build("strategies", *cell.parts["strategy"])
    grounds = _Grounds(cell, catalog, backbone, length, seen)
    try:
        _check_answers(strategy, grounds.found)
        return account(backbone, strategy, grounds.found, catalog, target=target, growth=growth), grounds.length
    except (NotApplicable, UserError):
        raise
    except Exception as error:
        why = f"cannot be gone through without values: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        raise NotApplicable(why) from error


def _check_answers(strategy: Strategy, grounds: Sequence[StageData]) -> None:

    for ground in grounds:
        if ground.task.answer not in strategy.answers:
            message = f"it has no meaning where the answer is {OUTPUT_TYPES[ground.task.answer]}"
            raise NotApplicable(message)


@dataclass(frozen=True)
class _Few:
    """The examples that stand for a split."""

    examples: Encoded
    length: float
    """How long they are to the network: tokens, pixels of a side, or seconds."""
    of: int | None = None
    """How many the split has; None where there are no data."""


@dataclass
class _Grounds:
    """What the stages of a cell are learnt from; equal stages are the same."""

    cell: Configuration
    catalog: Catalog
    backbone: Backbone
    asked: float | None
    seen: Sequence[Encoded]
    length: float = 0.0
    found: list[StageData] = field(default_factory=list)

    def __post_init__(self) -> None:
        made: dict[str, StageData] = {}
        for number, stage in enumerate(self.cell.stages):
            if repr(stage) not in made:
                seen = self.seen[number] if self.seen else None
                made[repr(stage)] = self._ground(*stage, None if isinstance(seen, ChunkedEncoded) else seen)
            self.found.append(replace(made[repr(stage)], label=f"task {len(self.found) + 1}"))

    def _ground(
        self, use: str, options: Mapping[str, Any], training: Mapping[str, Any], seen: Encoded | None
    ) -> StageData:
        task: Task = self.catalog.build("tasks", use, options)
        if self.cell.split_seed is None:
            _check_known(task, use)
        few = (
            self._few(task, self.backbone) if seen is None else _longest(task, seen.take(_sample(len(seen))), len(seen))
        )
        self.length = few.length
        protocol = Training(**training)
        if few.of is not None:
            # No batch is larger than the split.
            sizes = {name: min(getattr(protocol, name), few.of) for name in ("batch_size", "eval_batch_size")}
            protocol = replace(protocol, **sizes)
        if isinstance(task, ClassificationTask):
            task.train_as(protocol, np.asarray(few.examples.labels))

        def encode(other: Backbone, processor: Any) -> Mapping[str, Encoded]:
            del processor
            return {"train": self._few(task, other).examples}

        return StageData(
            use, task, protocol, {"train": few.examples}, encode, _unchanged if augmentations(task) else None
        )

    def _few(self, task: Task, backbone: Backbone) -> _Few:
        """Give a few examples as a backbone reads them, and how long they are: of the data, or of zeros."""
        found = self._read(task, backbone) if self.asked is None and self.cell.split_seed is not None else None
        if found is not None:
            return found
        reads = backbone.reads(self.asked or getattr(task, "max_length", None) or getattr(task, "seconds", None))
        return _Few(task.outline(reads, OUTLINED), reads.length)

    def _read(self, task: Task, backbone: Backbone) -> _Few | None:
        """Encode some training examples and give the longest; None where they cannot be read without what is still to be downloaded."""
        assert self.cell.split_seed is not None
        try:
            processor = backbone.load_processor()
        except (UserError, OSError, ValueError):
            return None
        train = task.splits(self.cell.split_seed).train
        return _longest(task, task.encode([train[row] for row in _sample(len(train))], processor), len(train))


def _sample(count: int) -> list[int]:
    """Choose rows of so many, evenly."""
    rows: list[int] = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)).tolist()
    return rows


def _longest(task: Task, encoded: Encoded, of: int) -> _Few:
    """Give the longest of some examples of a split."""
    lengths = [_length(task, encoded, row) for row in range(len(encoded))]
    return _Few(encoded.take(np.argsort(-np.array(lengths), kind="stable")[:OUTLINED].tolist()), max(lengths), of)


def _unchanged(*_: Any) -> None:
    """Stand for augmentations: strategies see that there are some, and the examples stay as they are."""


def _check_known(task: Task, use: str) -> None:
    """See that a task without data knows how many outputs it has.

    Raises:
        UserError: it does not.
    """
    try:
        _ = task.outputs
    except UserError:
        raise UserError(
            f"--task: what {use!r} answers with depends on its data; give a suite with them, and --predict"
        ) from None


def _length(task: Task, encoded: Encoded, row: int) -> float:
    """Give how long an example is to the network: tokens, pixels of a side, or seconds."""
    if task.modality == "speech":
        return float(encoded.units[row])
    return float(task.collate(encoded, [row])[next(iter(encoded.columns))].shape[-1])


def account_once(trial: Trial, catalog: Catalog, cache: Path, seen: Sequence[Encoded] = ()) -> Accounting:
    """Account for a trial's training by fake tensors with the kernels of its device, or read what the trial of another seed found.

    No source of randomness moves.

    Args:
        trial: whose training.
        catalog: what the plugins offer.
        cache: the folder of what can be computed again.
        seen: the training split of each stage as the backbone reads it, where that is known already.

    Raises:
        NotMeasured: it cannot be gone through without values; the message says why.
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
    """Give all that decides the answer: the seed does not."""
    return {**trial.content, "code": [trial.code, core_sha256()], "software": software(), "target": target}
