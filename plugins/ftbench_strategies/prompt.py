"""Prompt tuning: trained tokens stand among the input's own (Lester et al. 2021 for text; Jia et al. 2022, VPT, for images)."""

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
    """`length` trained tokens enter with the input, behind the class tokens, and leave after the last block."""

    about: ClassVar[About] = About(
        paper="Lester et al. 2021, arXiv:2104.08691; Jia et al. 2022, arXiv:2203.12119 (VPT)",
        equation="blocks([cls; P; E(x)]), P of length P trains; deep: a new P for every block",
        when="Large models; images with VPT-deep; when a task may keep only some vectors.",
        limits="Small models learn little from it; it lengthens every sequence; networks without one sequence of tokens have no place for it.",
    )

    lr_ratio: ClassVar[float] = 50.0
    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 30.0, "Lester et al. 2021: up to 0.3, with Adafactor")

    length: Annotated[int, Ge(1), Tunable((5, 20, 50))] = 20
    """Tokens P. Lester et al. settle on 100 for T5; Jia et al. search 1 to 200."""
    depth: Literal["shallow", "deep"] = "shallow"
    """`shallow`: they enter the first block and go through all. `deep`: every block is given its own (VPT-deep)."""
    init: Literal["auto", "uniform", "sampled", "labels"] = "auto"
    """What they begin as. `uniform`: small random numbers, as VPT. `sampled`: tokens of training examples, as a block sees
    them. `labels`: the tokens of the classes' names. `auto`: uniform for images, sampled otherwise (Lester et al., 3.2)."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Dropout on the prompts."""

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone whose blocks do not all see one sequence of tokens, and class names where nothing reads them."""
        if card.class_tokens is None:
            message = f"{card.architecture} has no one sequence of tokens a prompt could stand in"
            raise NotApplicable(message)
        if self.init == "labels" and card.modality != "text":
            message = f"init = 'labels' needs a network that reads the classes' names, and {card.architecture} reads {card.modality}"
            raise NotApplicable(message)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze the backbone and put the prompts in."""
        from .modules.prompts import add_prompts, uniform_vectors

        learner.freeze_backbone()
        sets = len(learner.blocks()) if self.depth == "deep" else 1
        uniform = self.init == "uniform" or (self.init == "auto" and learner.card.modality == "vision")
        vectors = uniform_vectors(learner, self.length, sets) if uniform else self._from_data(learner, bench, sets)
        add_prompts(learner, vectors, dropout=self.dropout, device=bench.device)

    def _from_data(self, learner: Learner, bench: Bench, sets: int) -> list[Tensor]:
        """Take tokens as the blocks see them: of training examples, drawn by the trial's seed, or of the classes' names."""
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
