"""What trials will take, before anything is downloaded: parameters, operations, memory, and the largest batch for a card."""

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
    """What one cell will take."""

    cell: Configuration
    batch_size: int
    """Examples of an optimizer step."""
    length: float | None
    """Tokens, pixels of a side or seconds of an example; None where nothing was predicted."""
    accounting: Accounting | None
    """None where `reason` says why there is none."""
    reason: str | None = None
    memory: int | None = None
    """Bytes of the card that was asked about."""

    @property
    def fits(self) -> bool | None:
        """Whether the card has room for the peak; None where none was asked about, or nothing is predicted."""
        if self.memory is None or self.accounting is None:
            return None
        return self.accounting.peak.total <= self.memory

    @property
    def largest_batch(self) -> int | None:
        """The largest batch the card has room for; None as `fits` is, or where memory does not grow in proportion."""
        if self.memory is None or self.accounting is None or not self.accounting.growth:
            return None
        return self.accounting.largest_batch(self.memory)

    def row(self) -> dict[str, Any]:
        """Give the prediction as a row of a table: counts in parameters, memory in bytes."""
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
    """How cells are looked at."""

    target: Kernels = "cpu"
    """Whose kernels are predicted."""
    length: float | None = None
    """Tokens, pixels of a side, or seconds of each example; by default that of the data, or what the task or the network says."""
    memory: int | None = None
    """Bytes of a card."""


def card_memory(card: str | None, device: str | None) -> int | None:
    """Read how much memory a card has: from a size such as `24GB` or `80GiB`, or from the device itself.

    Raises:
        UserError: the size is none, or there is no such device.
    """
    if card is not None:
        size = read_size(card)
        if size is None:
            raise UserError(f"--gpu-memory: {card!r} is not a size; give one such as 24GB or 80GiB")
        return size
    if device is None:
        return None
    match, cards = re.fullmatch(r"cuda:(\d+)", device), visible_gpus()
    if match is None or int(match[1]) >= len(cards):
        raise UserError(
            f"--device: there is no {device!r} here; {len(cards)} GPUs are visible. Give --gpu-memory 24GB to ask about another"
        )
    return int(describe_gpu(cards[int(match[1])])["memory"])


def cells_of_suite(suite: Suite, catalog: Catalog, device: str) -> tuple[list[Configuration], tuple[str, ...]]:
    """List the cells of a suite, each once for all its seeds, and what is not known of it yet; weights need not be there.

    Raises:
        SuiteError: it cannot be planned.
    """
    foreseen = foresee(suite, catalog, device, outlines=True)
    found: dict[tuple[str, str, str], Configuration] = {}
    for trial in foreseen.trials:
        found.setdefault((trial.target, trial.backbone.label, trial.strategy.label), configuration_of(trial))
    return list(found.values()), foreseen.unknown


def cells_of_model(
    catalog: Catalog,
    backbone: str,
    options: Mapping[str, Any],
    task: str,
    *,
    batch_size: int,
    classes: int | None = None,
    strategies: Iterable[str] = (),
) -> list[Configuration]:
    """List the cells of one backbone and one kind of task, without data.

    Args:
        catalog: what the plugins offer.
        backbone: a plugin's name.
        options: its options.
        task: a plugin's name; where it takes data it is given none.
        batch_size: examples of an optimizer step.
        classes: how many there are, where the task does not know them; None for what is usual of it.
        strategies: plugins' names; none for all that need no options.

    Raises:
        PluginError: a name is unknown.
        UserError: the backbone cannot serve the task.
    """
    cls: type[Task] = catalog.find("tasks", task)
    _check_serves(catalog, catalog.build("backbones", backbone, options).outline_card(), cls, task)
    told = cls.without_data(classes)
    training = {"batch_size": batch_size, "lr": 1e-5, "steps": 100}
    chosen = list(strategies) or [
        name
        for name in sorted(catalog.offers["strategies"])
        if not catalog.mistakes(catalog.find("strategies", name), {})
    ]
    found = []
    for name in chosen:
        strategy: Strategy = catalog.build("strategies", name, {})
        stages = ((task, told, training),) * (2 if strategy.needs_sequence else 1)
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
    """See that a network reads what a task gives, and has a head for what it asks.

    Raises:
        UserError: it does not; the line names the tasks it could serve.
    """
    if _serves(card, cls):
        return
    lacks = (
        f"reads {card.modality}"
        if cls.modality != card.modality
        else f"has no head that answers with {OUTPUT_TYPES[cls.answer]}"
    )
    kinds = [
        name
        for name, other in sorted(catalog.offers["tasks"].items())
        if "data" in option_names(other) and _serves(card, other)
    ]
    raise UserError(
        f"--task: {task!r} is not for {card.architecture}, which {lacks}; it can serve {', '.join(kinds) or 'no task on data'}"
    )


def _serves(card: ModelCard, cls: type[Task]) -> bool:
    return cls.modality == card.modality and cls.answer in card.answers


def predict_cells(
    cells: Sequence[Configuration], catalog: Catalog, question: Question, processes: int | None = None
) -> list[Prediction]:
    """Predict what cells take, several at a time, in processes of their own.

    Raises:
        UserError: a length is asked for that a network does not read, or a task cannot tell what it is without data.
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
        return [predict_cell(cell, catalog, question) for cell in cells]
    context = get_context("fork")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_shared.update, initargs=({"of": (catalog, question)},)
    ) as pool:
        return list(pool.map(_predict_shared, cells))


_shared: dict[str, tuple[Catalog, Question]] = {}


def _predict_shared(cell: Configuration) -> Prediction:
    return predict_cell(cell, *_shared["of"])


def predict_cell(cell: Configuration, catalog: Catalog, question: Question) -> Prediction:
    """Predict what one cell takes.

    Raises:
        UserError: as `predict_cells` does.
    """
    try:
        found, length = account_configuration(
            cell, catalog, target=question.target, length=question.length, growth=question.memory is not None
        )
    except NotApplicable as error:
        return Prediction(cell, cell.batch_size, None, None, str(error), question.memory)
    return Prediction(cell, cell.batch_size, length, found, None, question.memory)
