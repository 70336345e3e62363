"""Map roles to module names for each architecture, as transformers 5 names them.

Strategies ask for roles, never for names, so that each name is written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ftbench import POOLED, PluginError, Roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import OutputType
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """Module names of one `model_type` under its classification class."""

    modality: str
    """`text`, `vision` or `speech`."""
    blocks: str
    """The list of residual blocks; `*` matches every stage."""
    head: tuple[str, ...]
    """Modules initialised from scratch for each task whose output is one class, several, or a number."""
    members: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Role → name inside a block; the empty name is the block itself. Of several names, those that exist count."""
    above: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)
    """Further lists of blocks, such as a decoder's, bottom first, each with its own `members`."""
    heads: Mapping[OutputType, tuple[str, ...]] = field(default_factory=dict)
    """Output type → modules initialised from scratch for tasks with it, instead of those of `head`."""
    whole: Mapping[str, str] = field(default_factory=dict)
    """Role → name of one module outside the blocks."""
    everywhere: Mapping[str, str] = field(default_factory=dict)
    """Role → last part of the name of every module that fills it, anywhere in the network."""
    class_tokens: int | None = None
    """Tokens at the front that summarise the sequence; None if the blocks do not all see one sequence of tokens."""
    objective: str = ""
    """Objective of its language model: `masked`, `causal`, or empty if it has none."""
    unused_positions: int = 0
    """Trained positions that no token ever gets."""
    biases: bool = True
    """Whether its modules have biases, unless a field of `bias_fields` says otherwise."""
    unbiased: frozenset[str] = frozenset()
    """Roles whose modules never have one."""
    bias_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Field of the configuration → roles whose modules have a bias if it is true, and none if it is false."""
    first: tuple[str, ...] = ()
    """Modules that run before the blocks next to them, though they are defined after."""
    last: Mapping[str, str] = field(default_factory=dict)
    """Field of the configuration → a module that runs after the blocks if it is true, though it is defined before."""
    skippable: bool = True
    """Whether the network still works when a block of a list, other than its first, is left out."""

    @property
    def roles(self) -> frozenset[str]:
        """The roles this architecture fills."""
        return frozenset([*self.members, *self.whole, *self.everywhere])

    @property
    def answers(self) -> frozenset[OutputType]:
        """The output types it supports."""
        return POOLED | frozenset(self.heads)

    def head_of(self, answer: OutputType) -> tuple[str, ...]:
        """Return the modules initialised from scratch for tasks with the output type `answer`."""
        return self.head if answer in POOLED else self.heads[answer]

    def resolve(self, model: nn.Module, head: tuple[str, ...] | None = None) -> Roles:
        """Find the modules in a loaded model; the head is the classification head, unless `head` names other modules.

        Raises:
            PluginError: transformers has renamed a module; the message names it.
        """
        names, head = dict(model.named_modules()), head or self.head
        members: dict[str, tuple[str, ...]] = dict.fromkeys(self.members, ())
        lists: list[str] = []
        for pattern, roles in {self.blocks: self.members, **self.above}.items():
            stages = _stages(model, pattern)
            lists += stages
            blocks = [f"{stage}.{i}" for stage in stages for i in range(_length(model, stage))]
            for role, inside in roles.items():
                members[role] += tuple(found for block in blocks for found in _inside(block, inside, names))
        members |= {role: (name,) for role, name in self.whole.items()}
        members |= {
            role: tuple(name for name in names if name.endswith(f".{last}")) for role, last in self.everywhere.items()
        }
        lost = [name for group in (head, lists, *members.values()) for name in group if name not in names]
        if lost:
            message = (
                f"{type(model).__name__} has no module {lost[0]!r}: this version of transformers names it differently"
            )
            raise PluginError(message)
        last = tuple(name for flag, name in self.last.items() if getattr(model.config, flag, False))
        return Roles(head, tuple(lists), members, self.first, last)

    def unbiased_by(self, config: Mapping[str, Any]) -> frozenset[str]:
        """Return the roles whose modules have no bias in a network of this configuration."""
        off = [roles for flag, roles in self.bias_fields.items() if not config.get(flag, self.biases)]
        return self.unbiased.union(*off)

    def has_biases(self, config: Mapping[str, Any]) -> bool:
        """Return whether a network of this configuration has any bias."""
        return self.biases or any(config.get(flag, False) for flag in self.bias_fields)


def _inside(block: str, inside: str | tuple[str, ...], names: Mapping[str, nn.Module]) -> list[str]:
    """Return the names of the modules inside a block: one, or those of several that exist."""
    if isinstance(inside, str):
        return [f"{block}.{inside}" if inside else block]
    found = [f"{block}.{name}" for name in inside if f"{block}.{name}" in names]
    return found or [f"{block}.{inside[0]}"]


def _stages(model: nn.Module, pattern: str) -> list[str]:
    """Return the names of the lists of blocks that a pattern matches."""
    before, star, after = pattern.partition("*")
    return [f"{before}{i}{after}" for i in range(_length(model, before.rstrip(".")))] if star else [pattern]


def _length(model: nn.Module, name: str) -> int:
    return len(model.get_submodule(name))  # type: ignore[arg-type]  # a module list


_PROJECTIONS = frozenset({"query", "key", "value"})
_ATTENTION = _PROJECTIONS | {"attention_output"}
_FEED_FORWARD = frozenset({"ffn_in", "ffn_out"})


def _bert(base: str, choice: tuple[str, ...], unused_positions: int = 0) -> Architecture:
    return Architecture(
        "text",
        f"{base}.encoder.layer",
        ("classifier",),
        {
            "attention": "attention.self",
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "attention_output": "attention.output.dense",
            "ffn_in": "intermediate.dense",
            "ffn_out": "output.dense",
            "attention_exit": "attention.output.dropout",
            "ffn_exit": "output.dropout",
            "block_exit": "",
        },
        heads={"tags": ("classifier",), "span": ("qa_outputs",), "choice": choice},
        class_tokens=1,
        objective="masked",
        unused_positions=unused_positions,
    )


def _vit(modality: str, blocks: str, class_tokens: int | None) -> Architecture:
    return Architecture(
        modality,
        blocks,
        ("classifier",),
        {
            "attention": "attention",
            "query": "attention.q_proj",
            "key": "attention.k_proj",
            "value": "attention.v_proj",
            "attention_output": "attention.o_proj",
            "ffn_in": "mlp.fc1",
            "ffn_out": "mlp.fc2",
            "attention_exit": "attention.o_proj",
            "ffn_exit": "mlp.fc2",
            "block_exit": "",
        },
        class_tokens=class_tokens,
        bias_fields={"qkv_bias": _PROJECTIONS},
    )


def _wav2vec2(base: str) -> Architecture:
    return Architecture(
        "speech",
        f"{base}.encoder.layers",
        ("projector", "classifier"),
        {
            "attention": "attention",
            "query": "attention.q_proj",
            "key": "attention.k_proj",
            "value": "attention.v_proj",
            "attention_output": "attention.out_proj",
            "ffn_in": "feed_forward.intermediate_dense",
            "ffn_out": "feed_forward.output_dense",
            "attention_exit": "attention.out_proj",
            "ffn_exit": "feed_forward.output_dropout",
            "block_exit": "",
        },
        whole={"feature_encoder": f"{base}.feature_extractor"},
        heads={"transcript": ("lm_head",)},
        class_tokens=0,
        last={"do_stable_layer_norm": f"{base}.encoder.layer_norm"},
    )


# Its attention adds a bias for each distance, which a prefix does not have: the role `attention` is not filled.
_T5_BLOCK = {
    "query": "layer.0.SelfAttention.q",
    "key": "layer.0.SelfAttention.k",
    "value": "layer.0.SelfAttention.v",
    "attention_output": "layer.0.SelfAttention.o",
    "attention_exit": "layer.0.dropout",
    "block_exit": "",
}

_BART_BLOCK = {
    "attention": "self_attn",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_output": "self_attn.out_proj",
    "ffn_in": "fc1",
    "ffn_out": "fc2",
    "attention_exit": "self_attn.out_proj",
    "ffn_exit": "fc2",
    "block_exit": "",
}

ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": _bert("bert", ("classifier",)),
    # RoBERTa counts positions from the padding index, and its pooler was never trained.
    "roberta": _bert("roberta", ("roberta.pooler", "classifier"), unused_positions=2),
    "distilbert": Architecture(
        "text",
        "distilbert.transformer.layer",
        ("pre_classifier", "classifier"),
        {
            "attention": "attention",
            "query": "attention.q_lin",
            "key": "attention.k_lin",
            "value": "attention.v_lin",
            "attention_output": "attention.out_lin",
            "ffn_in": "ffn.lin1",
            "ffn_out": "ffn.lin2",
            "attention_exit": "attention.out_lin",
            "ffn_exit": "ffn.dropout",
            "block_exit": "",
        },
        heads={"tags": ("classifier",), "span": ("qa_outputs",), "choice": ("pre_classifier", "classifier")},
        class_tokens=1,
        objective="masked",
    ),
    "gpt2": Architecture(
        "text",
        "transformer.h",
        ("score",),
        {
            "attention": "attn",
            # One matrix for query, key and value: LoRA there adapts all three with a shared A.
            "query": "attn.c_attn",
            "key": "attn.c_attn",
            "value": "attn.c_attn",
            "attention_output": "attn.c_proj",
            "ffn_in": "mlp.c_fc",
            "ffn_out": "mlp.c_proj",
            "attention_exit": "attn.resid_dropout",
            "ffn_exit": "mlp.dropout",
            "block_exit": "",
        },
        heads={"tags": ("classifier",), "span": ("qa_outputs",)},
        class_tokens=0,
        objective="causal",
    ),
    "modernbert": Architecture(
        "text",
        "model.layers",
        ("head", "classifier"),
        {
            "attention": "attn",
            # One matrix for query, key and value: LoRA there adapts all three with a shared A.
            "query": "attn.Wqkv",
            "key": "attn.Wqkv",
            "value": "attn.Wqkv",
            "attention_output": "attn.Wo",
            "ffn_in": "mlp.Wi",
            "ffn_out": "mlp.Wo",
            "attention_exit": "attn.out_drop",
            "ffn_exit": "mlp.Wo",
            "block_exit": "",
        },
        heads={"tags": ("head", "classifier"), "span": ("head", "classifier"), "choice": ("head", "classifier")},
        class_tokens=1,
        objective="masked",
        biases=False,
        bias_fields={"attention_bias": _ATTENTION, "mlp_bias": _FEED_FORWARD, "norm_bias": frozenset()},
    ),
    "llama": Architecture(
        "text",
        "model.layers",
        ("score",),
        {
            "attention": "self_attn",
            "query": "self_attn.q_proj",
            "key": "self_attn.k_proj",
            "value": "self_attn.v_proj",
            "attention_output": "self_attn.o_proj",
            "ffn_in": "mlp.up_proj",
            "ffn_out": "mlp.down_proj",
            "attention_exit": "self_attn.o_proj",
            "ffn_exit": "mlp.down_proj",
            "block_exit": "",
        },
        heads={"tags": ("score",)},
        class_tokens=0,
        objective="causal",
        biases=False,
        bias_fields={"attention_bias": _ATTENTION, "mlp_bias": _FEED_FORWARD},
    ),
    "t5": Architecture(
        "text",
        "transformer.encoder.block",
        ("classification_head",),
        _T5_BLOCK
        | {
            # A gated feed-forward part has two first matrices.
            "ffn_in": ("layer.1.DenseReluDense.wi", "layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wi_1"),
            "ffn_out": "layer.1.DenseReluDense.wo",
            "ffn_exit": "layer.1.dropout",
        },
        above={
            "transformer.decoder.block": _T5_BLOCK
            | {
                "ffn_in": ("layer.2.DenseReluDense.wi", "layer.2.DenseReluDense.wi_0", "layer.2.DenseReluDense.wi_1"),
                "ffn_out": "layer.2.DenseReluDense.wo",
                "ffn_exit": "layer.2.dropout",
            }
        },
        biases=False,
    ),
    "bart": Architecture(
        "text",
        "model.encoder.layers",
        ("classification_head",),
        _BART_BLOCK,
        above={"model.decoder.layers": _BART_BLOCK},
        heads={"span": ("qa_outputs",)},
        first=("model.encoder.layernorm_embedding", "model.decoder.layernorm_embedding"),
    ),
    "vit": _vit("vision", "vit.layers", 1),
    # A class token and a distillation token.
    "deit": _vit("vision", "deit.layers", 2),
    "audio-spectrogram-transformer": _vit("speech", "audio_spectrogram_transformer.layers", 2),
    # Its blocks see windows of the image, wider ones in each stage.
    "swin": _vit("vision", "swin.encoder.layers.*.blocks", None),
    "wav2vec2": _wav2vec2("wav2vec2"),
    "hubert": _wav2vec2("hubert"),
    # Only its encoder; the blocks are named like BART's.
    "whisper": Architecture(
        "speech",
        "encoder.layers",
        ("projector", "classifier"),
        _BART_BLOCK,
        # Sinusoids, which the class declares as not trained; loading weights loses that.
        whole={"fixed": "encoder.embed_positions"},
        class_tokens=0,
        unbiased=frozenset({"key"}),
    ),
    "resnet": Architecture(
        "vision",
        "resnet.encoder.stages.*.layers",
        ("classifier",),
        {"block_exit": ""},
        everywhere={"conv": "convolution"},
    ),
    "convnext": Architecture(
        "vision",
        "convnext.encoder.stages.*.layers",
        ("classifier",),
        # Its pointwise convolutions are linear maps on the channels.
        {"conv": "pwconv1", "ffn_in": "pwconv1", "ffn_out": "pwconv2", "ffn_exit": "pwconv2", "block_exit": ""},
    ),
    "efficientnet": Architecture(
        "vision",
        "efficientnet.encoder.blocks",
        ("classifier",),
        {"conv": "projection.project_conv", "block_exit": ""},
        skippable=False,
    ),
}
