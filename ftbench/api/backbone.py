"""The contract of a backbone: pretrained weights, and the learner that loading them returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..errors import NotApplicable, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .card import InputSpec, ModelCard, OutputType
    from .learner import Learner


class Backbone(ABC):
    """Pretrained weights. Options are dataclass fields; every process creates its own instance."""

    @abstractmethod
    def load(self, labels: int, answer: OutputType = "class") -> Learner:
        """Load the weights with a new head of `labels` outputs for `answer`, on the CPU, in evaluation mode.

        The head is initialised from torch's global generator, which the caller has seeded.
        """

    def outline(self, labels: int, answer: OutputType = "class") -> Learner:
        """Build what `load` returns on torch's meta device, without a processor, to predict costs without weights.

        By default it loads the weights.
        """
        return self.load(labels, answer)

    def outline_card(self) -> ModelCard:
        """Describe the backbone without requiring weights or a processor; by default like `card`."""
        return self.card()

    def reads(self, length: float | None = None) -> InputSpec:
        """Return the spec of the network's input for one example.

        Args:
            length: tokens, pixels of a side, or seconds; None if the network or its processor decides.

        Raises:
            UserError: the network does not accept this length, or its inputs are unknown without data.
        """
        del length
        raise UserError(f"{self.card().architecture}: the inputs of this backbone are unknown without data")

    def frames(self, samples: int) -> int | None:
        """Return how many outputs a speech network has for a number of samples; None if that is not known."""
        del samples
        return None

    def load_processor(self) -> Any:
        """Load the tokenizer, image processor or feature extractor, without the weights if possible."""
        return self.load(2).processor

    def load_language_model(self) -> Learner:
        """Load the same weights with the head of their language model, masked or causal, instead of a task's head.

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
        """Return the card of every architecture this class can load, for the support matrix; empty for a single one."""
        return ()

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Return what identifies the weights (hash and revision), as JSON values; must not import torch."""
