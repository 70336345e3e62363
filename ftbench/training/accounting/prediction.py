"""Predict parameters, FLOPs, memory and the largest batch of configurations, before anything is downloaded."""

from __future__ import annotations

import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from ...api.card import OUTPUT_TYPES
from ...api.catalog import option_names
from ...environment import describe_gpu, visible_gpus
from ...errors import NotApplicable, UserError
from ...formatting import read_size
from ...suite.planning import foresee
from .configuration import Configuration, account_configuration, configuration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...api.card import ModelCard
    from ...api.catalog import Catalog
    from ...api.footprint import Accounting
    from ...api.strategy import Strategy
    from ...api.task import Task
    from ...suite.suite import Suite
    from .accounting import Kernels


@dataclass(frozen=True)
class Prediction:
    """The predicted cost of one configuration."""

    cell: Configuration
    batch_size: int
    """Examples per optimizer step."""
    length: float | None
    """Length of an example in tokens, pixels per side or seconds; None if nothing was predicted."""
    accounting: Accounting | None
    """None if nothing was predicted; `reason` says why."""
    reason: str | None = None
    memory: int | None = None
    """Bytes of the GPU's memory, if one was given."""

    @property
    def fits(self) -> bool | None:
        """Whether the peak fits into the GPU's memory; None if no GPU was given or nothing was predicted."""
        if self.memory is None or self.accounting is None:
            return None
        return self.accounting.peak.total <= self.memory

    @property
    def largest_batch(self) -> int | None:
        """Largest batch that fits into the GPU's memory; None as for `fits`, or if memory does not grow linearly."""
        if self.memory is None or self.accounting is None or not self.accounting.growth:
            return None
        return self.accounting.largest_batch(self.memory)

    def row(self) -> dict[str, Any]:
        """Return the prediction as a row of a table: counts in parameters, memory in bytes."""
        cell, found = self.cell, self.accounting
        row: dict[str, Any] = {"target": cell.target, "backbone": cell.backbone, "strategy": cell.strategy}
        row |= {"batch_size": self.batch_size, "length": self.length}
        row |= {
            name: getattr(found, name, None) for name in ("parameters", "trainable_parameters", "stored_bytes", "flops")
        }
        row |= {
            "flops_per_example": found.flops_per_example if found else None,
            "peak_bytes": found.peak.total if found else None,
        }
        for kind in ("parameters", "gradients", "optimizer", "activations", "extra"):
            row[f"peak_{kind}_bytes"] = getattr(found.peak, kind) if found else None
        return {**row, "fits": self.fits, "largest_batch": self.largest_batch, "reason": self.reason}


@dataclass(frozen=True)
class Question:
    """The conditions of a prediction."""

    target: Kernels = "cpu"
    """Device type of the simulated kernels."""
    length: float | None = None
    """Length of each example in tokens, pixels per side or seconds; by default that of the data, task or network."""
    memory: int | None = None
    """Bytes of the GPU's memory."""


def device_memory_limit(size: str | None, device: str | None) -> int | None:
    """Return the memory of a GPU in bytes, from a size such as `24GB` or `80GiB`, or read from the device.

    Raises:
        UserError: the size is not valid, or there is no such device.
    """
    if size is not None:
        found = read_size(size)
        if found is None:
            raise UserError(f"--gpu-memory: {size!r} is not a size; give one such as 24GB or 80GiB")
        return found
    if device is None:
        return None
    match, gpus = re.fullmatch(r"cuda:(\d+)", device), visible_gpus()
    if match is None or int(match[1]) >= len(gpus):
        raise UserError(
            f"--device: there is no {device!r} on this machine, which has {len(gpus)} visible GPUs; "
            "use --gpu-memory 24GB for another GPU"
        )
    return int(describe_gpu(gpus[int(match[1])])["memory"])


def configurations_of_suite(suite: Suite, catalog: Catalog, device: str) -> tuple[list[Configuration], tuple[str, ...]]:
    """List the configurations of a suite, each once for all its seeds, and what is not known about it yet.

    Weights need not be downloaded.

    Raises:
        SuiteError: the suite cannot be planned.
    """
    foreseen = foresee(suite, catalog, device, outlines=True)
    found: dict[tuple[str, str, str], Configuration] = {}
    for trial in foreseen.trials:
        found.setdefault((trial.target, trial.backbone.label, trial.strategy.label), configuration_of(trial))
    return list(found.values()), foreseen.unknown


def configurations_of_model(
    catalog: Catalog,
    backbone: str,
    options: Mapping[str, Any],
    task: str,
    *,
    batch_size: int,
    classes: int | None = None,
    strategies: Iterable[str] = (),
) -> list[Configuration]:
    """List the configurations of one backbone and one kind of task, without data.

    Args:
        catalog: what the plugins offer.
        backbone: a plugin's name.
        options: its options.
        task: a plugin's name; the task is built without data.
        batch_size: examples per optimizer step.
        classes: number of classes if the task does not know it; None for the task's default.
        strategies: plugins' names; empty for all that need no options.

    Raises:
        PluginError: a name is unknown.
        UserError: the backbone does not support the task.
    """
    cls: type[Task] = catalog.find("tasks", task)
    _check_serves(catalog, catalog.build("backbones", backbone, options).outline_card(), cls, task)
    task_options = cls.without_data(classes)
    training = {"batch_size": batch_size, "lr": 1e-5, "steps": 100}
    chosen = list(strategies) or [
        name
        for name in sorted(catalog.offers["strategies"])
        if not catalog.mistakes(catalog.find("strategies", name), {})
    ]
    found = []
    for name in chosen:
        strategy: Strategy = catalog.build("strategies", name, {})
        stages = ((task, task_options, training),) * (2 if strategy.needs_sequence else 1)
        found.append(
            Configuration(
                task,
                str(options.get("path", backbone)),
                name,
                {"backbone": (backbone, options), "strategy": (name, {})},
                stages,
            )
        )
    return found


def _check_serves(catalog: Catalog, card: ModelCard, cls: type[Task], task: str) -> None:
    """Check that a network supports the modality and the output type of a task.

    Raises:
        UserError: it does not; the message names the tasks that it supports.
    """
    if _serves(card, cls):
        return
    lacks = (
        f"reads {card.modality}"
        if cls.modality != card.modality
        else f"has no head for the output type {OUTPUT_TYPES[cls.answer]}"
    )
    kinds = [
        name
        for name, other in sorted(catalog.offers["tasks"].items())
        if "data" in option_names(other) and _serves(card, other)
    ]
    supported = ", ".join(kinds) or "no task with data"
    raise UserError(f"--task: {task!r} is not for {card.architecture}, which {lacks}; it supports {supported}")


def _serves(card: ModelCard, cls: type[Task]) -> bool:
    return cls.modality == card.modality and cls.answer in card.answers


def predict_configurations(
    cells: Sequence[Configuration], catalog: Catalog, question: Question, processes: int | None = None
) -> list[Prediction]:
    """Predict the cost of configurations in parallel processes.

    Raises:
        UserError: a network does not support the length, or a task needs data to know its outputs.
    """
    import gc

    import peft  # noqa: F401 - imported once for all processes
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    gc.freeze()
    processes = min(processes or len(os.sched_getaffinity(0)), len(cells))
    if processes <= 1:
        return [predict_configuration(cell, catalog, question) for cell in cells]
    context = get_context("fork")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_shared.update, initargs=({"of": (catalog, question)},)
    ) as pool:
        return list(pool.map(_predict_shared, cells))


_shared: dict[str, tuple[Catalog, Question]] = {}
"""Arguments for worker processes, which inherit it by fork."""


def _predict_shared(configuration: Configuration) -> Prediction:
    return predict_configuration(configuration, *_shared["of"])


def predict_configuration(configuration: Configuration, catalog: Catalog, question: Question) -> Prediction:
    """Predict the cost of one configuration.

    Raises:
        UserError: as `predict_configurations` does.
    """
    try:
        found, length = account_configuration(
            configuration,
            catalog,
            target=question.target,
            length=question.length,
            growth=question.memory is not None,
        )
    except NotApplicable as error:
        return Prediction(configuration, configuration.batch_size, None, None, str(error), question.memory)
    return Prediction(configuration, configuration.batch_size, length, found, None, question.memory)
