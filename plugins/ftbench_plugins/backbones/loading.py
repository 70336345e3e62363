"""Read and check model directories, and load learners from them through transformers' Auto classes."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ftbench import POOLED, Learner, ModelCard, NotApplicable, Roles, UserError

from .architectures import ARCHITECTURES, Architecture
from .limits import cannot_pad, check_filled
from .model_files import check_directory, offline, plain, shards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ftbench import OutputType

_PROCESSORS = {"text": "AutoTokenizer", "vision": "AutoImageProcessor", "speech": "AutoFeatureExtractor"}
_POOLED = {
    "text": "AutoModelForSequenceClassification",
    "vision": "AutoModelForImageClassification",
    "speech": "AutoModelForAudioClassification",
}
_MODELS: Mapping[OutputType, str] = {
    "tags": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
    "choice": "AutoModelForMultipleChoice",
    "transcript": "AutoModelForCTC",
}

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
"""Suffixes of weights that are refused."""
PROCESSORS = {
    "text": (
        "tokenizer",
        ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
    ),
    "vision": ("image processor", ("preprocessor_config.json", "processor_config.json")),
    "speech": ("feature extractor", ("preprocessor_config.json", "processor_config.json")),
}
"""Modality → name of its processor, and the files of which one must exist."""

# Randomness inside the network would differ between strategies, and layer drop breaks some of them.
_COMPARABLE = {"layerdrop": 0.0, "apply_spec_augment": False, "use_cache": False}


def read_config(folder: Path) -> dict[str, Any]:
    """Read a model directory's `config.json` without transformers.

    Raises:
        UserError: the directory or its configuration is missing or broken, or the architecture is not supported.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a model directory written by save_pretrained is needed") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: not a model configuration: {error}") from None
    if not isinstance(kind, str):
        raise UserError(f"{path}: not a model configuration: model_type is {kind!r}, not a text")
    if kind not in ARCHITECTURES and "auto_map" in config:
        raise UserError(
            f"{path}: model_type {kind!r} needs code of its own (auto_map), "
            "and no code that comes with a model is ever run"
        )
    if kind not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise UserError(f"{path}: model_type {kind!r} is not known to this plugin; known: {known}")
    check_directory(folder)
    return plain(config, path)


def weight_files(folder: Path) -> list[Path]:
    """List the weight files transformers loads: `model.safetensors`, or the shards its index names.

    Raises:
        UserError: there are none, or shards are missing; weights in pickle files are refused.
    """
    found = _weight_files(folder)
    if not found:
        pickled = sorted(path for suffix in PICKLED for path in folder.glob(f"*{suffix}"))
        hint = f"; {pickled[0].name} is a pickle, which can run code: convert it to safetensors" if pickled else ""
        raise UserError(f"{folder}: no *.safetensors weights, which are called {WEIGHTS}{hint}")
    lost = [path.name for path in found if not path.exists()]
    if lost:
        raise UserError(f"{folder}: {INDEX} names {lost[0]}, which is not there")
    return found


def _weight_files(folder: Path) -> list[Path]:
    """List the files that should exist; empty if the directory has no weights."""
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.exists():
        return []
    try:
        return shards(json.loads(index.read_text(encoding="utf-8"))["weight_map"], index)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: not an index of weights: {error}") from None


def check_processor(folder: Path, card: ModelCard) -> None:
    """Check that a directory holds the processor's files.

    Raises:
        UserError: it does not.
    """
    kind, files = PROCESSORS[card.modality]
    if not any((folder / name).exists() for name in files):
        raise UserError(f"{folder}: no {kind} ({', '.join(files[:3])}, …): write it there with its save_pretrained")


def make_card(
    config: Mapping[str, Any],
    *,
    licence: str,
    source: str,
    full_lr: float,
    note: str = "",
    pretrained: bool = True,
    parameters: int | None = None,
) -> ModelCard:
    """Describe a model directory from its configuration."""
    architecture = ARCHITECTURES[config["model_type"]]
    return ModelCard(
        config["model_type"],
        architecture.modality,
        architecture.roles,
        licence,
        source,
        full_lr,
        note,
        pretrained,
        parameters,
        _blocks(config, architecture),
        _positions(config, architecture),
        architecture.class_tokens,
        architecture.objective,
        architecture.has_biases(config),
        architecture.skippable,
        architecture.answers,
        architecture.unbiased_by(config),
    )


def _blocks(config: Mapping[str, Any], architecture: Architecture) -> int | None:
    if "num_block_repeats" in config:
        # EfficientNet's blocks depend on its depth coefficient, and its num_hidden_layers counts something different.
        return None
    if architecture.above:
        encoder = config.get("encoder_layers", config.get("num_layers"))
        decoder = config.get("decoder_layers", config.get("num_decoder_layers")) or encoder
        return None if encoder is None else int(encoder) + int(decoder)
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
    """Count the elements of a model directory's weight files from their headers; None if there are no weight files.

    Raises:
        UserError: a file is not a complete safetensors file.
    """
    shapes = _stored_shapes(folder)
    return sum(map(math.prod, shapes.values())) if shapes is not None else None


def stored_names(folder: Path) -> list[str]:
    """Return the names of the tensors in a model directory's weight files, from their headers.

    Raises:
        UserError: a file is not a complete safetensors file.
    """
    return list(_stored_shapes(folder) or ())


def _stored_shapes(folder: Path) -> dict[str, Sequence[int]] | None:
    """Return name → shape of the stored tensors; None if there are no weight files."""
    from safetensors import SafetensorError, safe_open

    files = [path for path in _weight_files(folder) if path.exists()]
    found: dict[str, Sequence[int]] = {}
    for path in files:
        try:
            with safe_open(path, framework="numpy") as stored:
                found |= {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118 - no mapping
        except SafetensorError as error:
            raise UserError(f"{path}: not a safetensors file, or not all of one: {error}") from None
    return found if files else None


def load_learner(
    folder: Path,
    labels: int,
    answer: OutputType,
    card: ModelCard,
    *,
    pretrained: bool = True,
    attention: str | None = None,
    dtype: str = "float32",
    head: tuple[str, ...] | None = None,
) -> Learner:
    """Load weights under a new head; if `pretrained` is false, the same architecture with random weights.

    Args:
        folder: the model directory.
        labels: outputs of the head.
        answer: the output type.
        card: selects the Auto classes.
        pretrained: whether to load the weights.
        attention: transformers' attention implementation; by default transformers chooses.
        dtype: data type of the weights, by torch's name.
        head: names of the modules initialised from scratch, if they differ from the architecture's usual ones.
    """
    # A transcript's outputs are the characters; the first one is the blank of CTC.
    settings = {"vocab_size": labels, "pad_token_id": 0} if answer == "transcript" else {"num_labels": labels}
    architecture = ARCHITECTURES[card.architecture]
    fresh = head or architecture.head_of(answer)
    model = _load_model(
        _class_for(answer, card), folder, fresh, pretrained=pretrained, attention=attention, dtype=dtype, **settings
    )
    roles = architecture.resolve(model, fresh)
    _fresh_head(model, roles.head)
    return _told_of_padding(Learner(model, roles, _fitted(load_processor(folder, card), model, card), card))


def outline_learner(
    folder: Path,
    labels: int,
    answer: OutputType,
    card: ModelCard,
    *,
    attention: str | None = None,
    dtype: str = "float32",
    head: tuple[str, ...] | None = None,
) -> Learner:
    """Build a learner from the configuration alone, on torch's meta device; arguments as in `load_learner`."""
    import torch

    settings = {"vocab_size": labels, "pad_token_id": 0} if answer == "transcript" else {"num_labels": labels}
    architecture = ARCHITECTURES[card.architecture]
    fresh = head or architecture.head_of(answer)
    with torch.device("meta"):
        model = _load_model(
            _class_for(answer, card), folder, fresh, pretrained=False, attention=attention, dtype=dtype, **settings
        )
    if card.modality == "text" and model.config.pad_token_id is None:
        model.config.pad_token_id = 0
    return _told_of_padding(Learner(model, architecture.resolve(model, fresh), None, card))


def _class_for(answer: OutputType, card: ModelCard) -> str:
    return _POOLED[card.modality] if answer in POOLED else _MODELS[answer]


def _told_of_padding(learner: Learner) -> Learner:
    """Set how a learner's network handles sounds of unequal length."""
    model: Any = learner.model
    learner.frames = getattr(model, "_get_feat_extract_output_lengths", None)
    # Networks whose front end normalises over time were trained without a padding mask.
    learner.masked = getattr(model.config, "feat_extract_norm", "layer") == "layer"
    return learner


def load_language_model(
    folder: Path, card: ModelCard, *, pretrained: bool = True, attention: str | None = None, dtype: str = "float32"
) -> Learner:
    """Load the same weights with the head of their language model, whose output is tied to the embeddings.

    Raises:
        NotApplicable: the architecture has no language model.
    """
    if not card.objective:
        message = f"{card.architecture} has no language model"
        raise NotApplicable(message)
    model_class = "AutoModelForMaskedLM" if card.objective == "masked" else "AutoModelForCausalLM"
    model = _load_model(model_class, folder, pretrained=pretrained, attention=attention, dtype=dtype)
    return Learner(model, Roles((), ()), _fitted(load_processor(folder, card), model, card), card)


def _load_model(
    model_class: str,
    folder: Path,
    fresh: tuple[str, ...] = (),
    *,
    pretrained: bool,
    attention: str | None,
    dtype: str,
    **settings: Any,
) -> Any:
    """Load a model through one of transformers' Auto classes, in evaluation mode.

    The modules named in `fresh` are initialised from scratch later.

    Raises:
        UserError: the weights do not belong to the configuration.
    """
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    auto = getattr(transformers, model_class)
    table = read_config(folder)
    config = transformers.CONFIG_MAPPING[table["model_type"]].from_dict(table, **settings)
    config.name_or_path = str(folder)
    for name, value in _COMPARABLE.items():
        if hasattr(config, name):
            setattr(config, name, value)
    extra = {"attn_implementation": attention} if attention else {}
    if pretrained:
        with offline():
            model, told = auto.from_pretrained(
                folder,
                config=config,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **extra,
            )
        check_filled(folder, model, fresh, told)
    else:
        # The directory's dtype, such as fp16, is how the weights are stored, not how they are trained.
        config.dtype = getattr(torch, dtype)
        model = auto.from_config(config, trust_remote_code=False, **extra)
    if dtype != "float32":
        model.register_forward_pre_hook(_in_dtype, with_kwargs=True)
    return model.eval()


def _in_dtype(model: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Cast images and sounds to the precision of the model's weights."""
    return positional, {
        key: value.to(model.dtype) if hasattr(value, "is_floating_point") and value.is_floating_point() else value
        for key, value in named.items()
    }


def load_processor(folder: Path, card: ModelCard) -> Any:
    """Load the tokenizer, image processor or feature extractor.

    Raises:
        UserError: a tokenizer cannot pad.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    auto = getattr(transformers, _PROCESSORS[card.modality])
    with offline():
        processor = auto.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if card.modality == "text":
        if processor.pad_token is None and processor.eos_token is None:
            raise UserError(f"{folder}: {cannot_pad()}")
        if processor.pad_token is None:
            processor.pad_token = processor.eos_token
        if card.positions:
            # A tokenizer that does not state a limit would let texts pass that the network has no positions for.
            processor.model_max_length = min(processor.model_max_length, card.positions)
    return processor


def _fitted(processor: Any, model: Any, card: ModelCard) -> Any:
    """Set a text model's padding token to that of its tokenizer."""
    if card.modality == "text":
        model.config.pad_token_id = processor.pad_token_id
    return processor


def _fresh_head(model: Any, names: tuple[str, ...]) -> None:
    """Initialise the head as the architecture does, even if the directory holds one of the right size."""
    for name in names:
        for module in model.get_submodule(name).modules():
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # noqa: SLF001 - the flag transformers looks at
            module._is_hf_initialized = False  # noqa: SLF001 - as above
            model._init_weights(module)  # noqa: SLF001 - transformers has no public way to initialise one module
