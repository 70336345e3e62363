"""What is known of a backbone without loading it: output types, module roles, input spec."""

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
"""Output type → its description. It decides the head, the shape of the labels, and which strategies apply."""

POOLED: frozenset[OutputType] = frozenset({"class", "labels", "number"})
"""Output types of a head on a summary of the whole input; one network serves all three."""


@dataclass(frozen=True)
class Roles:
    """Names of the modules a strategy may ask for, before any strategy has changed the model."""

    head: tuple[str, ...]
    """Modules that are created for each task."""
    block_lists: tuple[str, ...]
    """Lists of the residual blocks, bottom first."""
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Role → modules, bottom first. Roles: attention, query, key, value, attention_output, ffn_in, ffn_out, conv,
    attention_exit and ffn_exit (a sublayer's output before the residual sum), block_exit,
    feature_encoder, fixed (parameters that the architecture computes and never trains)."""
    first: tuple[str, ...] = ()
    """Modules that run before the blocks next to them, though the network defines them after."""
    last: tuple[str, ...] = ()
    """Modules that run after the blocks next to them, though the network defines them before."""


@dataclass(frozen=True)
class ModelCard:
    """What is known of a backbone without loading it."""

    architecture: str
    """The transformers `model_type`, such as `bert`."""
    modality: str
    """`text`, `vision` or `speech`."""
    roles: frozenset[str]
    """Roles of its modules."""
    licence: str
    """SPDX identifier, or what is known."""
    source: str
    """Where the weights come from."""
    full_lr: float
    """Its published learning rate for full fine-tuning; strategies scale it."""
    note: str = ""
    """Anything that readers of a table must know."""
    pretrained: bool = True
    """Whether the weights are pretrained; false for random initialisation."""
    parameters: int | None = None
    """Parameters in its weight files; None if unknown without loading."""
    blocks: int | None = None
    """Number of residual blocks; None if unknown without loading."""
    positions: int | None = None
    """Longest sequence covered by its trained positions, in tokens; None if unlimited or unknown."""
    class_tokens: int | None = None
    """Leading tokens that summarise the sequence (1 for BERT's [CLS]); None if blocks see different sequences."""
    objective: str = ""
    """Objective of its language model: `masked`, `causal`, or empty if it is none."""
    biases: bool = True
    """Whether its modules have biases."""
    skippable: bool = True
    """Whether the network still works if a block of a list, except the first, is removed."""
    answers: frozenset[OutputType] = POOLED
    """Output types that it supports; see `ftbench.tasks.OUTPUT_TYPES`."""
    unbiased: frozenset[str] = frozenset()
    """Roles whose modules have no bias."""


@dataclass(frozen=True)
class InputSpec:
    """The input of a network for one example."""

    name: str
    """Name of the input: `input_ids`, `pixel_values`, `input_values` or `input_features`."""
    shape: tuple[int, ...]
    """Its shape."""
    length: float
    """Its length: tokens, pixels of a side, or seconds."""
