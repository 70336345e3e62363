"""What one training step of a strategy takes, exactly: floating-point operations, and the peak of live tensor bytes.

Nothing is timed and nothing is read from a device, so that two runs, on whatever machines, give the same integers. With fake
tensors not even the weights are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...api.footprint import Accounting
from ...errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.strategy import Strategy
    from ..bench import StageData
    from .simulated_training import SimulatedTraining

Kernels = Literal["cpu", "cuda"]
"""Whose kernels: they decide what the forward pass keeps."""


def account(
    backbone: Backbone,
    strategy: Strategy,
    grounds: Sequence[StageData],
    catalog: Catalog,
    *,
    fake: bool = True,
    target: Kernels = "cpu",
    growth: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Accounting:
    """Go through a few training steps and account for them.

    Args:
        backbone: what is trained; with fake tensors its weights are not read.
        strategy: a fresh instance.
        grounds: what is learnt, one stage after another; the first examples of `open["train"]` make the batch, again and again
            where there are too few of them.
        catalog: where a strategy finds those it is made of.
        fake: whether tensors are fake: nothing is computed. Else a learner is loaded and trained for two steps, and thrown away.
        target: `cpu` as torch runs there; `cuda` with the attention and the dropout of a CUDA card, fake tensors alone.
        growth: whether to find out how memory grows with the batch, which takes a step or two more.
        seed: decides what is drawn; with fake tensors nothing depends on it.
        device: where real tensors lie.

    Raises:
        NotApplicable: the strategy cannot serve the backbone, or decides by values that fake tensors do not have.
    """
    # A module first imported while tensors are looked at would have its own counted, and keep fake ones for good.
    import peft  # noqa: F401
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

    from .simulated_training import SimulatedTraining

    training = grounds[-1].training
    parts = training.accumulation
    micro = max(2, -(-training.batch_size // parts))
    sizes = (parts * micro, 2 * parts * micro) if growth else None
    strategy.check(backbone.outline_card() if fake else backbone.card())
    rehearsal = SimulatedTraining(
        grounds, backbone, catalog, fake=fake, target=target, sizes=sizes, seed=seed, device=device
    )
    try:
        learner = rehearsal.run(strategy)
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        message = f"what it does depends on values, which are not there before it runs ({error.func})"
        raise NotApplicable(message) from error
    return Accounting(
        training.batch_size,
        rehearsal.flops,
        rehearsal.memory.footprint(),
        sum(parameter.numel() for parameter in learner.model.parameters()),
        sum(count for count, _ in rehearsal.trained.values()),
        sum(size for _, size in rehearsal.trained.values()),
        _growth(rehearsal, parts) if growth else (),
        parts,
    )


def _growth(rehearsal: SimulatedTraining, parts: int) -> tuple[tuple[int, int], ...]:
    """Tell for each moment what it takes, and how much more for each example of a micro-batch; only those that can be the peak.

    Empty where another batch size makes other moments, or nothing is trained.
    """
    if not rehearsal.growth:
        return ()
    found = {0: rehearsal.elsewhere}
    try:
        lines = [line for growth in rehearsal.growth for line in growth.lines(parts)]
    except ValueError:
        return ()
    for still, growing in lines:
        found[growing] = max(found.get(growing, 0), still)
    chosen: list[tuple[int, int]] = []
    for growing in sorted(found, reverse=True):
        if not chosen or found[growing] > chosen[-1][0]:
            chosen.append((found[growing], growing))
    return tuple(chosen)
