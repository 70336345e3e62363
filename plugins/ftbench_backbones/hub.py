"""Any transformers model, by local directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftbench import Backbone, Card, file_sha256

from .architectures import ARCHITECTURES
from .loading import load_language_model, load_learner, load_processor, make_card, read_config, stored_parameters, weight_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Answer, Learner

# Full fine-tuning's published rates fall with size: BERT 2e-5 to 5e-5, large models 1e-5, small ones more.
_RATES = ((1024, 1e-5), (512, 3e-5), (256, 1e-4), (0, 1e-3))


@dataclass
class Transformers(Backbone):
    """Any model transformers' Auto classes read, from a directory written by `save_pretrained`."""

    path: str
    """The directory."""
    pretrained: bool = True
    """Whether the weights are read; false trains the same architecture from scratch."""
    attention: str | None = None
    """transformers' attention implementation (`eager`, `sdpa`, …); its own choice by default."""
    lr: float | None = None
    """Learning rate of full fine-tuning; by default by the width of the model."""
    licence: str = "unknown"
    """Shown in tables."""

    @classmethod
    def architectures(cls) -> Sequence[Card]:
        """Describe every architecture whose modules are known by role."""
        return [make_card({"model_type": kind}, licence="", source="", full_lr=1e-4) for kind in ARCHITECTURES]

    def card(self) -> Card:
        """Describe the model by its configuration file."""
        config = read_config(Path(self.path))
        width = next((config[name] for name in ("hidden_size", "d_model", "n_embd", "dim", "embed_dim") if config.get(name)), 0)
        width = width or max(config.get("hidden_sizes", [0]))
        rate = self.lr or next(rate for least, rate in _RATES if width >= least)
        folder = Path(self.path)
        return make_card(
            config, licence=self.licence, source=folder.name, full_lr=rate, pretrained=self.pretrained, parameters=stored_parameters(folder)
        )

    def fingerprint(self) -> Mapping[str, Any]:
        """Give the hashes of configuration, weights and processor files."""
        folder = Path(self.path)
        read_config(folder)
        files = {path.name: file_sha256(path) for path in sorted(folder.glob("*.json"))}
        if self.pretrained:
            files |= {path.name: file_sha256(path) for path in weight_files(folder)}
        return files

    def load(self, labels: int, answer: Answer = "class") -> Learner:
        """Load the directory through the Auto classes."""
        return load_learner(Path(self.path), labels, answer, self.card(), pretrained=self.pretrained, attention=self.attention)

    def load_processor(self) -> Any:
        """Load the processor alone."""
        return load_processor(Path(self.path), self.card())

    def load_language_model(self) -> Learner:
        """Load the directory under the head of its language model."""
        return load_language_model(Path(self.path), self.card(), pretrained=self.pretrained, attention=self.attention)
