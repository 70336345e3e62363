"""What one training step of a strategy takes, exactly: floating-point operations, and the peak of live tensor bytes.

Nothing is timed and nothing is read from a device, so that two runs, on whatever machines, give the same integers. With fake
tensors not even the weights are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ...errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...api.backbone import Backbone
    from ...api.catalog import Catalog
    from ...api.strategy import Strategy
    from ..bench import Ground
    from .memory_tracker import Footprint
    from .simulated_training import Rehearsal

Kernels = Literal["cpu", "cuda"]
"""Whose kernels: they decide what the forward pass keeps."""


@dataclass(frozen=True)
class Accounting:
    """What training takes, at one batch size."""

    batch_size: int
    """Examples of an optimizer step."""
    flops: int
    """Floating-point operations of an optimizer step, forward and backward: matrix products, convolutions and attention."""
    peak: Footprint
    """The most bytes of live tensors at any moment of the training, a teacher's own training included."""
    parameters: int
    """Parameters of the network, tied ones once, with what the strategy added."""
    trainable_parameters: int
    """Those an optimizer is given."""
    stored_bytes: int
    """What must be kept beside the pretrained weights."""
    growth: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """Moments as (bytes, bytes an example more): the peak at another batch size is the largest of their sums."""
    accumulation: int = 1
    """Micro-batches of an optimizer step."""

    @classmethod
    def of_table(cls, table: Mapping[str, Any]) -> Accounting:
        """Give what `asdict` made a table of, from its JSON."""
        from .memory_tracker import Footprint

        growth = tuple((still, growing) for still, growing in table["growth"])
        return cls(**{**table, "peak": Footprint(**table["peak"]), "growth": growth})

    @property
    def flops_per_example(self) -> int:
        """FLOPs of a step over its examples, rounded."""
        return round(self.flops / self.batch_size)

    def peak_at(self, batch_size: int) -> int:
        """Give the peak at another batch size, a multiple of the micro-batches, in bytes; exact where all sizes grow in proportion.

        Raises:
            ValueError: it was not asked how memory grows.
        """
        if not self.growth:
            message = "it is not known how memory grows with the batch"
            raise ValueError(message)
        micro = -(-batch_size // self.accumulation)
        return max(still + growing * micro for still, growing in self.growth)

    def largest_batch(self, memory: int) -> int:
        """Give the largest batch whose peak is at most `memory` bytes; 0 where there is none.

        Raises:
            ValueError: as `peak_at` does.
        """
        self.peak_at(1)
        if any(still > memory for still, _ in self.growth):
            return 0
        return self.accumulation * min((memory - still) // growing for still, growing in self.growth if growing > 0)


def account(
    backbone: Backbone,
    strategy: Strategy,
    grounds: Sequence[Ground],
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

    from .simulated_training import Rehearsal

    training = grounds[-1].training
    parts = training.accumulation
    micro = max(2, -(-training.batch_size // parts))
    sizes = (parts * micro, 2 * parts * micro) if growth else None
    strategy.check(backbone.outline_card() if fake else backbone.card())
    rehearsal = Rehearsal(grounds, backbone, catalog, fake=fake, target=target, sizes=sizes, seed=seed, device=device)
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


def _growth(rehearsal: Rehearsal, parts: int) -> tuple[tuple[int, int], ...]:
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
