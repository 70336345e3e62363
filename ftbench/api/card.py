"""What a model is asked for: it decides the head, the shape of the labels, and which strategies can serve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


OutputType = Literal["class", "labels", "number", "choice", "tags", "span", "transcript"]

OUTPUT_TYPES: Mapping[OutputType, str] = {
    "class": "one class of several",
    "labels": "any of several classes, each by itself",
    "number": "a number",
    "choice": "one of several texts",
    "tags": "a class for each word",
    "span": "a piece of a text",
    "transcript": "the words that are spoken",
}
"""Answer → what it is, in words."""

POOLED: frozenset[OutputType] = frozenset({"class", "labels", "number"})
"""Answers of a head that sums the whole input up; one network serves all three."""


@dataclass(frozen=True)
class Roles:
    """Names of the modules a strategy may ask for, as they are before any strategy touched the model."""

    head: tuple[str, ...]
    """The modules made anew for each task."""
    block_lists: tuple[str, ...]
    """The lists that hold the residual blocks, bottom first."""
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Role → modules, bottom first. Roles: attention, query, key, value, attention_output, ffn_in, ffn_out, conv,
    attention_exit and ffn_exit (where a sublayer's output leaves, before the residual sum), block_exit,
    feature_encoder."""


@dataclass(frozen=True)
class ModelCard:
    """What is known of a backbone without loading it."""

    architecture: str
    """The transformers `model_type`, such as `bert`."""
    modality: str
    """`text`, `vision` or `speech`."""
    roles: frozenset[str]
    """The roles its modules fill."""
    licence: str
    """SPDX identifier, or what is known."""
    source: str
    """Where the weights come from."""
    full_lr: float
    """The published learning rate of full fine-tuning for it; strategies scale it."""
    note: str = ""
    """Anything a reader of a table must know."""
    pretrained: bool = True
    """Whether the weights were trained; false where the architecture is begun at random."""
    parameters: int | None = None
    """Parameters in its weight files; None where that is not known without loading."""
    blocks: int | None = None
    """Residual blocks; None where that is not known without loading."""
    positions: int | None = None
    """Longest sequence its trained positions reach, in tokens; None where nothing limits it, or nothing is known."""
    class_tokens: int | None = None
    """Tokens at the front that sum the sequence up (1 for BERT's [CLS]); None where its blocks do not all see one sequence."""
    objective: str = ""
    """How its language model was trained: `masked`, `causal`, or empty where it is none."""
    biases: bool = True
    """Whether its modules have biases."""
    skippable: bool = True
    """Whether the network still fits together where a block of a list, not its first, is left out."""
    answers: frozenset[OutputType] = POOLED
    """What it can be asked for; see `ftbench.OUTPUT_TYPES`."""


@dataclass(frozen=True)
class InputSpec:
    """What a network is given of one example."""

    name: str
    """Name of the input: `input_ids`, `pixel_values`, `input_values` or `input_features`."""
    shape: tuple[int, ...]
    """Its shape."""
    length: float
    """Its length: tokens, pixels of a side, or seconds."""
