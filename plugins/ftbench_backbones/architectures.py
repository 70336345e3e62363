"""Which module plays which role, architecture by architecture, as transformers 5 names them.

A strategy asks for roles, never for names, so that a name lives in one place. `{}` stands for the number of a block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftbench import PluginError, Roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """The names of one `model_type` under its classification class."""

    modality: str
    """`text`, `vision` or `speech`."""
    blocks: str
    """The list of residual blocks; `*` stands for every stage."""
    head: tuple[str, ...]
    """Modules made anew for each task."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Role → name inside a block; the empty name is the block itself."""
    whole: Mapping[str, str] = field(default_factory=dict)
    """Role → name of one module outside the blocks."""
    everywhere: Mapping[str, str] = field(default_factory=dict)
    """Role → last part of the name of every module that fills it, wherever it stands."""
    class_tokens: int | None = None
    """Tokens at the front that sum the sequence up; None where the blocks do not all see one sequence of tokens."""
    objective: str = ""
    """How its language model is trained: `masked`, `causal`, or empty where it has none."""
    unused_positions: int = 0
    """Trained positions that no token is ever given."""
    biases: bool = True
    """Whether its modules have biases."""
    skippable: bool = True
    """Whether the network still fits together where a block of a list, not its first, is left out."""

    @property
    def roles(self) -> frozenset[str]:
        """The roles this architecture fills."""
        return frozenset([*self.members, *self.whole, *self.everywhere])

    def resolve(self, model: nn.Module) -> Roles:
        """Find the modules in a loaded model.

        Raises:
            PluginError: transformers has renamed a module; the message names it.
        """
        names = dict(model.named_modules())
        before, star, after = self.blocks.partition("*")
        stages = [f"{before}{i}{after}" for i in range(len(model.get_submodule(before.rstrip("."))))] if star else [self.blocks]  # type: ignore[arg-type]  # a module list
        blocks = [f"{stage}.{i}" for stage in stages for i in range(len(model.get_submodule(stage)))]  # type: ignore[arg-type]
        members = {role: tuple(f"{block}.{name}" if name else block for block in blocks) for role, name in self.members.items()}
        members |= {role: (name,) for role, name in self.whole.items()}
        members |= {role: tuple(name for name in names if name.endswith(f".{last}")) for role, last in self.everywhere.items()}
        lost = [name for group in (self.head, stages, *members.values()) for name in group if name not in names]
        if lost:
            message = f"{type(model).__name__} has no module {lost[0]!r}: this version of transformers names it differently"
            raise PluginError(message)
        return Roles(self.head, tuple(stages), members)


def _bert(base: str, head: tuple[str, ...], unused_positions: int = 0) -> Architecture:
    return Architecture(
        "text",
        f"{base}.encoder.layer",
        head,
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
        class_tokens=0,
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": _bert("bert", ("classifier",)),
    # RoBERTa counts positions from the padding index on.
    "roberta": _bert("roberta", ("classifier",), unused_positions=2),
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
        class_tokens=1,
        objective="masked",
        biases=False,
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
        class_tokens=0,
        objective="causal",
        biases=False,
    ),
    "vit": _vit("vision", "vit.layers", 1),
    # A class token and a distillation token.
    "deit": _vit("vision", "deit.layers", 2),
    "audio-spectrogram-transformer": _vit("speech", "audio_spectrogram_transformer.layers", 2),
    # Its blocks see windows of the image, each stage wider ones.
    "swin": _vit("vision", "swin.encoder.layers.*.blocks", None),
    "wav2vec2": _wav2vec2("wav2vec2"),
    "hubert": _wav2vec2("hubert"),
    "whisper": Architecture(
        "speech",
        "encoder.layers",
        ("projector", "classifier"),
        {
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
        },
        class_tokens=0,
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
