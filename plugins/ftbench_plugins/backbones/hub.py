"""Any transformers model, from a local directory or by its id on the Hugging Face Hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ftbench import Backbone, InputSpec, ModelCard, UserError
from ftbench.backbones import Remote, Repository, is_hub_id
from ftbench.fingerprint import file_sha256

from .architectures import ARCHITECTURES
from .inputs import count_frames, read_inputs
from .limits import check_layers, check_tokenizer
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
    stored_names,
    stored_parameters,
    weight_files,
)
from .model_files import ADAPTER, identity, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ftbench import Learner, OutputType

# Published rates of full fine-tuning fall with size: BERT 2e-5 to 5e-5, large models 1e-5, small ones more.
_RATES = ((1024, 1e-5), (512, 3e-5), (256, 1e-4), (0, 1e-3))

_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


@dataclass
class Transformers(Backbone, Remote):
    """Any model that transformers' Auto classes load, from a directory written by `save_pretrained` or from the Hub."""

    path: str
    """The directory or, if no such directory exists, a Hub id such as `google-bert/bert-base-uncased`."""
    revision: str = "main"
    """Branch, tag or commit of a Hub model; the resolved commit identifies the trial."""
    pretrained: bool = True
    """Whether to load the weights; false trains the same architecture from scratch."""
    attention: str | None = None
    """transformers' attention implementation (`eager`, `sdpa`, …); by default transformers chooses."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Data type of the weights. Published results use `float32`; the others save memory but lose small updates."""
    lr: float | None = None
    """Learning rate of full fine-tuning; by default it depends on the model's width."""
    licence: str = "unknown"
    """Licence shown in tables."""

    @classmethod
    def architectures(cls) -> Sequence[ModelCard]:
        """Describe every architecture whose module roles are known."""
        return [make_card({"model_type": kind}, licence="", source="", full_lr=1e-4) for kind in ARCHITECTURES]

    # -- location --------------------------------------------------------------------------------------------

    def repository(self) -> Repository | None:
        """Return the repository; None if the path is a directory, or cannot be an id.

        Raises:
            UserError: a revision is set for a directory.
        """
        if not Path(self.path).expanduser().is_dir() and is_hub_id(self.path):
            return Repository("model", self.path, self.revision)
        if self.revision != "main":
            raise UserError(f"revision: goes with an id on the hub, and {self.path!r} is a directory")
        return None

    def wanted(self, names: Sequence[str], read: Callable[[str], Path]) -> Sequence[str]:
        """Select the configuration, processor and safetensors weights: never a pickle, never the same weights twice.

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
            if "/" not in name
            and name.endswith((".json", ".txt"))
            and not name.endswith(".index.json")
            and name != ADAPTER
        ]
        pieces = [name for name in files if name in names and name.endswith(".model") and "tokenizer.json" not in names]
        return [*small, *pieces, *(weights if self.pretrained else ())]

    def lacks(self, folder: Path) -> str:
        """Return which part a snapshot lacks: configuration, processor or weights; empty if it is complete."""
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
        """Return the directory that holds at least the configuration."""
        return Path(self.path).expanduser() if self.repository() is None else self.held().folder

    # -- description -----------------------------------------------------------------------------------------

    def card(self) -> ModelCard:
        """Describe the model from its configuration file, and check that the processor is there."""
        card, folder = self.outline_card(), self._folder()
        check_processor(folder, card)
        config = read_config(folder)
        with readable(folder):
            if card.modality == "text":
                check_tokenizer(folder, config)
            if self.pretrained:
                check_layers(folder, config, card, stored_names(folder))
        return card

    def outline_card(self) -> ModelCard:
        """Describe the model from its configuration file alone; other files may be missing."""
        folder = self._config_folder()
        with readable(folder):
            return self._outline_card(folder, read_config(folder))

    def _outline_card(self, folder: Path, config: Mapping[str, Any]) -> ModelCard:
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

    def frames(self, samples: int) -> int | None:
        """Count the outputs of a speech network."""
        return count_frames(self._config_folder(), samples)

    def reads(self, length: float | None = None) -> InputSpec:
        """Return the input spec of one example, from the configuration."""
        folder = self._config_folder()
        with readable(folder):
            return read_inputs(folder, read_config(folder), self.outline_card().positions, length)

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hashes of configuration, weights and processor files; for a Hub model, its commit and weights."""
        folder = self._folder()
        read_config(folder)
        weights = weight_files(folder) if self.pretrained else []
        if self.repository() is not None:
            return {"commit": folder.name, **{path.name: file_sha256(path) for path in weights}}
        return identity(folder, weights)

    # -- loading ---------------------------------------------------------------------------------------------

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
        """Build the model from its configuration alone."""
        folder = self._config_folder()
        return outline_learner(folder, labels, answer, self.outline_card(), attention=self.attention, dtype=self.dtype)

    def load_processor(self) -> Any:
        """Load only the processor."""
        return load_processor(self._folder(), self.card())

    def load_language_model(self) -> Learner:
        """Load the model with its language model's head."""
        return load_language_model(
            self._folder(), self.card(), pretrained=self.pretrained, attention=self.attention, dtype=self.dtype
        )
