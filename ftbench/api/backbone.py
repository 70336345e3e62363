"""The contract of a backbone, and the learner that loading one gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..errors import NotApplicable, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .card import InputSpec, ModelCard, OutputType
    from .learner import Learner


class Backbone(ABC):
    """Pretrained weights. Options are dataclass fields; the instance is made anew in every process."""

    @abstractmethod
    def load(self, labels: int, answer: OutputType = "class") -> Learner:
        """Load the weights under a fresh head of `labels` outputs for `answer`, on the CPU, in evaluation mode.

        The head draws from torch's global generator, which the caller has seeded.
        """

    def outline(self, labels: int, answer: OutputType = "class") -> Learner:
        """Make what `load` makes, on torch's meta device and without a processor, for predictions that need no weights.

        By default the weights are loaded.
        """
        return self.load(labels, answer)

    def outline_card(self) -> ModelCard:
        """Describe the backbone where neither weights nor a processor need be there; by default as `card` does."""
        return self.card()

    def reads(self, length: float | None = None) -> InputSpec:
        """Tell what one example looks like to the network.

        Args:
            length: tokens, pixels of a side, or seconds; None where the network or its processor decides.

        Raises:
            UserError: the network reads no such length, or this backbone cannot tell.
        """
        del length
        raise UserError(f"{self.card().architecture}: this backbone cannot tell what its inputs look like without data")

    def load_processor(self) -> Any:
        """Load the tokenizer, image processor or feature extractor; without the weights, where that can be done."""
        return self.load(2).processor

    def load_language_model(self) -> Learner:
        """Load the same weights under the head of their language model, masked or causal; without a head for a task.

        Raises:
            NotApplicable: the architecture has none, or this class cannot load it.
        """
        message = f"{self.card().architecture} has no language model that this backbone can load"
        raise NotApplicable(message)

    @abstractmethod
    def card(self) -> ModelCard:
        """Describe the backbone; must not import torch.

        Raises:
            UserError: the files named by the options are missing or unknown.
        """

    @classmethod
    def architectures(cls) -> Sequence[ModelCard]:
        """Describe every architecture this class can load, for the support matrix; none where it is only one of its own."""
        return ()

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Give what decides the weights (their hash and revision), as JSON values; must not import torch."""
