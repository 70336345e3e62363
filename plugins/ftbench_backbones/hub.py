"""Any transformers model, by local directory or by its id on the Hugging Face hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ftbench import Backbone, InputSpec, ModelCard, UserError
from ftbench.backbones import Remote, Repository, is_hub_id
from ftbench.fingerprint import file_sha256

from .architectures import ARCHITECTURES
from .inputs import read_inputs
from .loading import (
    INDEX,
    PICKLED,
    PROCESSORS,
    WEIGHTS,
    check_processor,
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
    from collections.abc import Callable, Mapping, Sequence

    from ftbench import Learner, OutputType

# Full fine-tuning's published rates fall with size: BERT 2e-5 to 5e-5, large models 1e-5, small ones more.
_RATES = ((1024, 1e-5), (512, 3e-5), (256, 1e-4), (0, 1e-3))

_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


@dataclass
class Transformers(Backbone, Remote):
    """Any model transformers' Auto classes read, from a directory written by `save_pretrained` or from the hub."""

    path: str
    """The directory; or, where there is none of that name, an id on the hub such as `google-bert/bert-base-uncased`."""
    revision: str = "main"
    """Branch, tag or commit of a model from the hub; the commit it stands for is what a trial is known by."""
    pretrained: bool = True
    """Whether the weights are read; false trains the same architecture from scratch."""
    attention: str | None = None
    """transformers' attention implementation (`eager`, `sdpa`, …); its own choice by default."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """How the weights are held. `float32` is what published results are compared in; the others save memory, and small updates
    are lost in them."""
    lr: float | None = None
    """Learning rate of full fine-tuning; by default by the width of the model."""
    licence: str = "unknown"
    """Shown in tables."""

    @classmethod
    def architectures(cls) -> Sequence[ModelCard]:
        """Describe every architecture whose modules are known by role."""
        return [make_card({"model_type": kind}, licence="", source="", full_lr=1e-4) for kind in ARCHITECTURES]

    # -- where it lies -----------------------------------------------------------------------------------------------------

    def repository(self) -> Repository | None:
        """Name the repository; None where the path is a directory, or cannot be an id.

        Raises:
            UserError: a revision is asked of a directory.
        """
        if not Path(self.path).expanduser().is_dir() and is_hub_id(self.path):
            return Repository("model", self.path, self.revision)
        if self.revision != "main":
            raise UserError(f"revision: goes with an id on the hub, and {self.path!r} is a directory")
        return None

    def wanted(self, names: Sequence[str], read: Callable[[str], Path]) -> Sequence[str]:
        """Choose configuration, processor and safetensors weights: never a pickle, never the same weights twice.

        Raises:
            UserError: a part is missing.
        """
        if "config.json" not in names:
            raise UserError("has no config.json: it is no model of transformers")
        card = make_card(read_config(read("config.json").parent), licence="", source="", full_lr=1.0)
        kind, files = PROCESSORS[card.modality]
        if not set(files) & set(names):
            raise UserError(f"has no {kind} ({', '.join(files[:3])}, …)")
        shards = [name for name in names if _SHARD.fullmatch(name)]
        weights = [WEIGHTS] if WEIGHTS in names else [INDEX, *shards] if INDEX in names and shards else []
        if self.pretrained and not weights:
            pickled = next((name for name in names if name.endswith(PICKLED)), "")
            hint = (
                f"; {pickled} can run code: name a revision that has safetensors, or convert it and give the directory"
                if pickled
                else ""
            )
            raise UserError(f"has no {WEIGHTS}{hint}")
        small = [
            name
            for name in names
            if "/" not in name and name.endswith((".json", ".txt")) and not name.endswith(".index.json")
        ]
        pieces = [name for name in files if name in names and name.endswith(".model") and "tokenizer.json" not in names]
        return [*small, *pieces, *(weights if self.pretrained else ())]

    def lacks(self, folder: Path) -> str:
        """Say whether configuration, processor or weights are missing from a snapshot."""
        if not (folder / "config.json").exists():
            return "config.json"
        card = make_card(read_config(folder), licence="", source="", full_lr=1.0)
        try:
            check_processor(folder, card)
        except UserError:
            return f"its {PROCESSORS[card.modality][0]}"
        try:
            if self.pretrained:
                weight_files(folder)
        except UserError:
            return "its weights"
        return ""

    def _folder(self) -> Path:
        return Path(self.path).expanduser() if self.repository() is None else self.snapshot().folder

    def _config_folder(self) -> Path:
        """Find the directory that holds the configuration at least."""
        return Path(self.path).expanduser() if self.repository() is None else self.held().folder

    # -- what it is --------------------------------------------------------------------------------------------------------

    def card(self) -> ModelCard:
        """Describe the model by its configuration file."""
        card = self.outline_card()
        check_processor(self._folder(), card)
        return card

    def outline_card(self) -> ModelCard:
        """Describe the model by its configuration file, though nothing else may be there."""
        folder = self._config_folder()
        config = read_config(folder)
        width = next(
            (config[name] for name in ("hidden_size", "d_model", "n_embd", "dim", "embed_dim") if config.get(name)), 0
        )
        width = width or max(config.get("hidden_sizes", [0]))
        rate = self.lr or next(rate for least, rate in _RATES if width >= least)
        source = folder.name if self.repository() is None else f"hub: {self.path}, commit {folder.name[:12]}"
        return make_card(
            config,
            licence=self.licence,
            source=source,
            full_lr=rate,
            pretrained=self.pretrained,
            parameters=stored_parameters(folder),
        )

    def reads(self, length: float | None = None) -> InputSpec:
        """Tell by the configuration what one example looks like."""
        return read_inputs(
            self._config_folder(), read_config(self._config_folder()), self.outline_card().positions, length
        )

    def fingerprint(self) -> Mapping[str, Any]:
        """Give the hashes of configuration, weights and processor files; of a model from the hub, its commit and its weights."""
        folder = self._folder()
        read_config(folder)
        weights = {path.name: file_sha256(path) for path in weight_files(folder)} if self.pretrained else {}
        if self.repository() is not None:
            return {"commit": folder.name, **weights}
        return {path.name: file_sha256(path) for path in sorted(folder.glob("*.json"))} | weights

    # -- loading -----------------------------------------------------------------------------------------------------------

    def load(self, labels: int, answer: OutputType = "class") -> Learner:
        """Load the model through the Auto classes."""
        return load_learner(
            self._folder(),
            labels,
            answer,
            self.card(),
            pretrained=self.pretrained,
            attention=self.attention,
            dtype=self.dtype,
        )

    def outline(self, labels: int, answer: OutputType = "class") -> Learner:
        """Make the model of its configuration alone."""
        folder = self._config_folder()
        return outline_learner(folder, labels, answer, self.outline_card(), attention=self.attention, dtype=self.dtype)

    def load_processor(self) -> Any:
        """Load the processor alone."""
        return load_processor(self._folder(), self.card())

    def load_language_model(self) -> Learner:
        """Load the model under the head of its language model."""
        return load_language_model(
            self._folder(), self.card(), pretrained=self.pretrained, attention=self.attention, dtype=self.dtype
        )
