"""Prompt tuning: trained tokens in the input sequence (text: Lester et al. 2021; images: Jia et al. 2022, VPT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Lt
from ftbench import About, NotApplicable, RateRange, Strategy, Tunable

if TYPE_CHECKING:
    from ftbench import Bench, Learner, ModelCard
    from torch import Tensor

EXAMPLES = 32


@dataclass
class Prompt(Strategy):
    """Train `length` tokens that are inserted after the class tokens and removed after the last block."""

    about: ClassVar[About] = About(
        paper="Lester et al. 2021, arXiv:2104.08691; Jia et al. 2022, arXiv:2203.12119 (VPT)",
        equation="blocks([cls; P; E(x)]), P of length P trains; deep: a new P for every block",
        when="Large models; images with VPT-deep; when a task may store only a few vectors.",
        limits=(
            "Small models learn little. It lengthens every sequence. "
            "Networks without one sequence of tokens cannot use it."
        ),
        family="prompts & prefixes",
    )

    lr_ratio: ClassVar[float] = 50.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 30.0, "Lester et al. 2021: up to 0.3, with Adafactor")

    length: Annotated[int, Ge(1), Tunable((5, 20, 50))] = 20
    """Number of tokens P. Lester et al. settle on 100 for T5; Jia et al. search 1 to 200."""
    depth: Literal["shallow", "deep"] = "shallow"
    """`shallow`: the tokens enter the first block and pass through all. `deep`: every block has its own (VPT-deep)."""
    init: Literal["auto", "uniform", "sampled", "labels"] = "auto"
    """Initial tokens. `uniform`: small random numbers, like VPT. `sampled`: tokens of training examples, as a block
    sees them. `labels`: the tokens of the class names. `auto`: uniform for images, otherwise sampled (Lester et al.,
    3.2)."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Dropout on the prompts."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without one sequence of tokens, and class names if the network does not read text."""
        if card.class_tokens is None:
            message = f"{card.architecture} has no one sequence of tokens a prompt could stand in"
            raise NotApplicable(message)
        if self.init == "labels" and card.modality != "text":
            message = (
                "init = 'labels' needs a network that reads the classes' names, "
                f"and {card.architecture} reads {card.modality}"
            )
            raise NotApplicable(message)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone and insert the prompts."""
        from .modules.prompts import add_prompts, uniform_vectors

        learner.freeze_backbone()
        sets = len(learner.blocks()) if self.depth == "deep" else 1
        uniform = self.init == "uniform" or (self.init == "auto" and learner.card.modality == "vision")
        # A simulation has no tokenizer for the class names, and needs shapes only.
        uniform = uniform or (self.init == "labels" and learner.processor is None)
        vectors = uniform_vectors(learner, self.length, sets) if uniform else self._from_data(learner, bench, sets)
        add_prompts(learner, vectors, dropout=self.dropout, device=bench.device)

    def _from_data(self, learner: Learner, bench: Bench, sets: int) -> list[Tensor]:
        """Return tokens as the blocks see them: of training examples drawn by the seed, or of the class names."""
        from .modules.prompts import entering, real_tokens

        generator = bench.generator("prompt")
        if self.init == "labels":
            named = learner.processor(list(bench.task.classes), padding=True, return_tensors="pt")
            batch = {name: named[name].to(bench.device) for name in ("input_ids", "attention_mask")}
        else:
            encoded = bench.encoded()
            rows = generator.permutation(len(encoded))[:EXAMPLES]
            batch = {
                name: tensor.to(bench.device) for name, tensor in bench.task.collate(encoded, rows.tolist()).items()
            }
        hidden = entering(learner, batch, learner.blocks()[:sets])
        real = real_tokens(batch, hidden[0], learner.card.class_tokens or 0).cpu()
        known = len(hidden[0][real])
        if self.init == "labels":
            chosen = [place % known for place in range(self.length)]
        else:
            chosen = generator.choice(known, self.length, replace=known < self.length).tolist()
        return [entry.cpu()[real][chosen] for entry in hidden]
