"""What a training takes, as numbers: floating-point operations and bytes by purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Accounting:
    """What training takes, at one batch size."""

    batch_size: int
    """Examples of an optimizer step."""
    flops: int
    """Floating-point operations of an optimizer step, forward and backward: matrix products, convolutions,
    attention."""
    peak: Footprint
    """The most bytes of live tensors at any moment of the training, a teacher's own training included."""
    parameters: int
    """Parameters of the network, tied ones once, with what the strategy added."""
    trainable_parameters: int
    """See `Tuned.parameters`."""
    stored_bytes: int
    """See `Tuned.stored_bytes`."""
    growth: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """Moments as (bytes, bytes an example more): the peak at another batch size is the largest of their sums."""
    accumulation: int = 1
    """Micro-batches of an optimizer step."""

    @classmethod
    def of_table(cls, table: Mapping[str, Any]) -> Accounting:
        """Rebuild an instance from the JSON of its `asdict`."""
        growth = tuple((still, growing) for still, growing in table["growth"])
        return cls(**{**table, "peak": Footprint(**table["peak"]), "growth": growth})

    @property
    def flops_per_example(self) -> int:
        """FLOPs of a step over its examples, rounded."""
        return round(self.flops / self.batch_size)

    def peak_at(self, batch_size: int) -> int:
        """Return the peak in bytes at another batch size, a multiple of the micro-batches.

        It is exact if all sizes scale with the batch.

        Raises:
            ValueError: the growth of memory was not computed.
        """
        if not self.growth:
            message = "the growth of memory with the batch was not computed"
            raise ValueError(message)
        micro = -(-batch_size // self.accumulation)
        return max(still + growing * micro for still, growing in self.growth)

    def largest_batch(self, memory: int) -> int:
        """Return the largest batch whose peak is at most `memory` bytes; 0 if there is none.

        Raises:
            ValueError: see `peak_at`.
        """
        self.peak_at(1)
        if any(still > memory for still, _ in self.growth):
            return 0
        return self.accumulation * min((memory - still) // growing for still, growing in self.growth if growing > 0)


@dataclass(frozen=True)
class Tuned:
    """What a training changed, and what must be kept of it."""

    backbone_parameters: int
    """Trained parameters outside the heads: those that optimizers were given, and those that another training of the
    trial changed."""
    head_parameters: int
    """Trained parameters of all heads."""
    stored_bytes: int
    """Bytes of the tensors that rebuild the tuned model from the pretrained weights and the trial's seed."""

    @property
    def parameters(self) -> int:
        """All trained parameters."""
        return self.backbone_parameters + self.head_parameters


@dataclass(frozen=True)
class Footprint:
    """Bytes of live tensors at one moment."""

    parameters: int = 0
    """Parameters and buffers of the network that is trained."""
    gradients: int = 0
    """Gradients of parameters."""
    optimizer: int = 0
    """What the optimizer keeps from step to step."""
    activations: int = 0
    """Inputs, what the forward pass keeps for the backward pass, and whatever lives for a moment."""
    extra: int = 0
    """What the strategy keeps in addition: a teacher, Fisher information, anchors."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.extra
