"""Count exactly what one training step of a strategy costs: floating-point operations and peak live tensor bytes.

Nothing is timed or read from a device, so every machine gives the same integers. With fake tensors the weights are not
needed either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ...api.footprint import Accounting
from ...errors import NotApplicable
from .tuned import tuned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.strategy import Strategy
    from ..bench import StageData
    from .simulated_training import SimulatedTraining

Kernels = Literal["cpu", "cuda"]
"""Device type of the simulated kernels; they decide which activations the forward pass keeps."""


def account(
    backbone: Backbone,
    strategy: Strategy,
    stage_data: Sequence[StageData],
    catalog: Catalog,
    *,
    fake: bool = True,
    target: Kernels = "cpu",
    growth: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Accounting:
    """Simulate a few training steps and count their FLOPs and memory.

    Args:
        backbone: the backbone; with fake tensors its weights are not read.
        strategy: a new instance.
        stage_data: the stages in their order. The first examples of `open["train"]` are the batch, repeated if
            there are too few.
        catalog: builds the strategies that this one is made of.
        fake: whether tensors are fake, so that nothing is computed. Otherwise a learner is loaded, trained for two
            steps and discarded.
        target: `cpu` for torch's CPU kernels; `cuda` for the attention and dropout kernels of a CUDA GPU, with fake
            tensors only.
        growth: whether to measure how memory grows with the batch, which takes one or two more steps.
        seed: seed of the random numbers; with fake tensors nothing depends on it.
        device: device of real tensors.

    Raises:
        NotApplicable: the strategy does not support the backbone, or depends on values that fake tensors do not have.
    """
    # Modules must be imported before tensors are tracked: otherwise their own tensors would be counted, and stay fake.
    import peft  # noqa: F401 - imported before tensors are tracked
    from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

    from .simulated_training import SimulatedTraining

    training = stage_data[-1].training
    micro_batches = training.accumulation
    micro_size = max(2, -(-training.batch_size // micro_batches))
    sizes = (micro_batches * micro_size, 2 * micro_batches * micro_size) if growth else None
    strategy.check(backbone.outline_card() if fake else backbone.card())
    simulation = SimulatedTraining(
        stage_data, backbone, catalog, fake=fake, target=target, sizes=sizes, seed=seed, device=device
    )
    try:
        learner = simulation.run(strategy)
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        message = f"its computation depends on values, which a simulation does not have ({error.func})"
        raise NotApplicable(message) from error
    found = tuned(learner, strategy, simulation.trained())
    return Accounting(
        training.batch_size,
        simulation.flops,
        simulation.memory.footprint(),
        sum(parameter.numel() for parameter in learner.model.parameters()),
        found.parameters,
        found.stored_bytes,
        _growth(simulation, micro_batches) if growth else (),
        micro_batches,
    )


def _growth(simulation: SimulatedTraining, micro_batches: int) -> tuple[tuple[int, int], ...]:
    """Return memory as linear functions of the batch: (bytes, bytes per example of a micro-batch) for each moment.

    Only moments that can be the peak are kept. Empty if another batch size makes a different sequence of moments, or
    nothing is trained.
    """
    if not simulation.growth:
        return ()
    # Bytes per example → the largest constant part.
    largest = {0: simulation.outside_peak}
    try:
        lines = [line for growth in simulation.growth for line in growth.lines(micro_batches)]
    except ValueError:
        return ()
    for constant, slope in lines:
        largest[slope] = max(largest.get(slope, 0), constant)
    chosen: list[tuple[int, int]] = []
    for slope in sorted(largest, reverse=True):
        if not chosen or largest[slope] > chosen[-1][0]:
            chosen.append((largest[slope], slope))
    return tuple(chosen)
