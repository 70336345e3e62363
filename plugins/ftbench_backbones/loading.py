"""Make a learner from a model directory through transformers' Auto classes."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ftbench import POOLED, Card, Learner, NotApplicable, Roles, UserError

from .architectures import ARCHITECTURES, Architecture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ftbench import Answer

_PROCESSORS = {"text": "AutoTokenizer", "vision": "AutoImageProcessor", "speech": "AutoFeatureExtractor"}
_POOLED = {
    "text": "AutoModelForSequenceClassification",
    "vision": "AutoModelForImageClassification",
    "speech": "AutoModelForAudioClassification",
}
_MODELS: Mapping[Answer, str] = {
    "tags": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
    "choice": "AutoModelForMultipleChoice",
    "transcript": "AutoModelForCTC",
}

# Randomness inside the network would differ from strategy to strategy, and layer drop breaks some of them.
_COMPARABLE = {"layerdrop": 0.0, "apply_spec_augment": False, "use_cache": False}


def read_config(folder: Path) -> dict[str, Any]:
    """Read a model directory's `config.json` without transformers.

    Raises:
        UserError: the directory or its configuration is missing, broken, or of an architecture not known here.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a model directory written by save_pretrained is needed") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a model configuration: {error}") from None
    if kind not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(f"{path}: model_type {kind!r} is not known to this plugin; known: {known}")
    return config


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model directory.

    Raises:
        UserError: there are none; weights in pickle files are refused.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = sorted(folder.glob("*.bin"))
        hint = f"; {pickled[0].name} is a pickle, which can run code: convert it to safetensors" if pickled else ""
        raise UserError(f"{folder}: no *.safetensors weights{hint}")
    return files


def make_card(
    config: Mapping[str, Any],
    *,
    licence: str,
    source: str,
    full_lr: float,
    note: str = "",
    pretrained: bool = True,
    parameters: int | None = None,
) -> Card:
    """Describe a model directory by its configuration."""
    architecture = ARCHITECTURES[config["model_type"]]
    return Card(
        config["model_type"],
        architecture.modality,
        architecture.roles,
        licence,
        source,
        full_lr,
        note,
        pretrained,
        parameters,
        _blocks(config),
        _positions(config, architecture),
        architecture.class_tokens,
        architecture.objective,
        architecture.biases,
        architecture.skippable,
        architecture.answers,
    )


def _blocks(config: Mapping[str, Any]) -> int | None:
    for name in ("encoder_layers", "num_hidden_layers", "n_layer", "n_layers"):
        if name in config:
            return int(config[name])
    return sum(config["depths"]) if "depths" in config else None


def _positions(config: Mapping[str, Any], architecture: Architecture) -> int | None:
    if architecture.modality != "text":
        return None
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return int(found) - architecture.unused_positions if found else None


def stored_parameters(folder: Path) -> int | None:
    """Count the elements of a model directory's weight files by their headers; None where there are none.

    Raises:
        UserError: a file is not what its name says.
    """
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    total = 0
    for path in files:
        try:
            with safe_open(path, framework="numpy") as stored:
                total += sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118 - not a mapping
        except SafetensorError as error:
            raise UserError(f"{path}: not a safetensors file: {error}") from None
    return total if files else None


def load_learner(
    folder: Path,
    labels: int,
    answer: Answer,
    card: Card,
    *,
    pretrained: bool = True,
    attention: str | None = None,
    head: tuple[str, ...] | None = None,
) -> Learner:
    """Load weights in fp32 under a fresh head; where `pretrained` is false, the same architecture at random.

    Args:
        folder: the model directory.
        labels: outputs of the head.
        answer: what it is asked for.
        card: says which Auto classes to use.
        pretrained: whether the weights are read.
        attention: transformers' attention implementation; its own choice by default.
        head: names of the modules made anew, where they are not the architecture's usual ones.
    """
    # A transcript's outputs are the characters, the first of which is the blank of CTC.
    settings = {"vocab_size": labels, "pad_token_id": 0} if answer == "transcript" else {"num_labels": labels}
    model_class = _POOLED[card.modality] if answer in POOLED else _MODELS[answer]
    model = _load_model(model_class, folder, pretrained=pretrained, attention=attention, **settings)
    architecture = ARCHITECTURES[card.architecture]
    roles = architecture.resolve(model, head or architecture.head_of(answer))
    _fresh_head(model, roles.head)
    learner = Learner(model, roles, _fitted(load_processor(folder, card), model, card), card)
    learner.frames = getattr(model, "_get_feat_extract_output_lengths", None)
    # Networks whose front end normalises over time were trained without being told where the padding is.
    learner.masked = getattr(model.config, "feat_extract_norm", "layer") == "layer"
    return learner


def load_language_model(folder: Path, card: Card, *, pretrained: bool = True, attention: str | None = None) -> Learner:
    """Load the same weights under the head of their language model, its output tied to the embeddings.

    Raises:
        NotApplicable: the architecture has no language model.
    """
    if not card.objective:
        message = f"{card.architecture} has no language model"
        raise NotApplicable(message)
    model_class = "AutoModelForMaskedLM" if card.objective == "masked" else "AutoModelForCausalLM"
    model = _load_model(model_class, folder, pretrained=pretrained, attention=attention)
    return Learner(model, Roles((), ()), _fitted(load_processor(folder, card), model, card), card)


def _load_model(model_class: str, folder: Path, *, pretrained: bool, attention: str | None, **settings: Any) -> Any:
    """Load a model through one of transformers' Auto classes, in evaluation mode."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    auto = getattr(transformers, model_class)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **settings)
    for name, value in _COMPARABLE.items():
        if hasattr(config, name):
            setattr(config, name, value)
    extra = {"attn_implementation": attention} if attention else {}
    if pretrained:
        model = auto.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
            ignore_mismatched_sizes=True, **extra,
        )  # fmt: skip
    else:
        # The directory may say fp16, which is how the weights are kept, not how they are trained.
        config.dtype = torch.float32
        model = auto.from_config(config, **extra)
    return model.eval()


def load_processor(folder: Path, card: Card) -> Any:
    """Load the tokenizer, image processor or feature extractor."""
    import transformers

    transformers.logging.set_verbosity_error()
    processor = getattr(transformers, _PROCESSORS[card.modality]).from_pretrained(folder, local_files_only=True)
    if card.modality == "text" and processor.pad_token is None:
        processor.pad_token = processor.eos_token
    return processor


def _fitted(processor: Any, model: Any, card: Card) -> Any:
    """Tell a text model what its tokenizer pads with."""
    if card.modality == "text":
        model.config.pad_token_id = processor.pad_token_id
    return processor


def _fresh_head(model: Any, names: tuple[str, ...]) -> None:
    """Initialise the head as the architecture does, even where the directory holds one of the right size."""
    for name in names:
        for module in model.get_submodule(name).modules():
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # noqa: SLF001 - the flag transformers looks at
            module._is_hf_initialized = False  # noqa: SLF001
            model._init_weights(module)  # noqa: SLF001 - transformers has no public way to initialise one module
