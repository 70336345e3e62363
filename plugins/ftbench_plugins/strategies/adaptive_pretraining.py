"""Task-adaptive pretraining: continue training the language model on the task's own text (Gururangan et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Gt, Lt
from ftbench import About, Loader, NotApplicable, Strategy

from .full import Full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftbench import Bench, Learner, ModelCard
    from torch import Tensor


@dataclass
class AdaptivePretraining(Strategy):
    """Pretrain further on the first task's training texts, without labels, then fine-tune with the strategy `then`."""

    about: ClassVar[About] = About(
        paper="Gururangan et al. 2020, arXiv:2004.10964; Devlin et al. 2019 (masking)",
        equation="min −log p(masked tokens | rest), or −log p(next | before); then the strategy that follows",
        when="Text unlike that of the pretraining, and more text than labels.",
        limits="Text only. In a sequence it uses only the first task's text. The pretraining counts towards its cost.",
        family="all weights",
    )

    epochs: Annotated[int, Ge(1)] = 100
    """Passes over the texts; the paper uses 100 for the texts of a task."""
    then: Strategy = field(default_factory=Full)
    """The strategy for fine-tuning: a name, or a table with `use` and its options."""
    mask_share: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Share of the tokens that a masked language model must predict."""
    pretraining_lr: Annotated[float, Gt(0)] | None = None
    """Learning rate of the pretraining; by default that of full fine-tuning."""

    def __post_init__(self) -> None:
        """Take over the properties of the strategy `then`."""
        self.needs_sequence = self.then.needs_sequence  # type: ignore[misc]  # set per instance
        self.moves_statistics = self.then.moves_statistics  # type: ignore[misc]  # as above

    def check(self, card: ModelCard) -> None:
        """Refuse a backbone without a language model, and any that `then` refuses."""
        if not card.objective:
            message = f"{card.architecture} is no language model that could learn from text without labels"
            raise NotApplicable(message)
        self.then.check(card)

    def lr(self, card: ModelCard) -> float:
        """Return the rate of the strategy `then`."""
        return self.then.lr(card)

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Pretrain, copy the weights into the learner, and prepare `then`.

        Raises:
            NotApplicable: the tokenizer has no mask.
        """
        with bench.phase("pretraining"):
            model = bench.load_language_model()
            bench.train(model, bench.strategy("full"), loader=self._texts(model, bench))
            learner.adopt_weights(model)
        self.then.prepare(learner, bench)

    def _texts(self, model: Learner, bench: Bench) -> Loader:
        """Return a loader of the training texts with the language model's objective."""
        from .modules.language import CausalLanguage, MaskedLanguage

        if model.card.objective == "causal":
            lesson: CausalLanguage | MaskedLanguage = CausalLanguage(bench.task)
        elif model.processor.mask_token is None:
            raise NotApplicable("its tokenizer has no mask token")
        else:
            lesson = MaskedLanguage(bench.task, model.processor, self.mask_share)
        training = replace(bench.training, epochs=self.epochs, steps=None, lr=self.pretraining_lr or model.card.full_lr)
        return Loader(bench.encoded(), lesson, training, seed=bench.seed, device=bench.device)

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Fine-tune with the strategy `then`."""
        self.then.fit(learner, bench)

    def end_stage(self, learner: Learner, bench: Bench) -> None:
        """End the stage with the strategy `then`."""
        self.then.end_stage(learner, bench)

    def stored(self, learner: Learner, trained: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return what the strategy `then` stores; what the pretraining changed is among `trained`."""
        return self.then.stored(learner, trained)

    def finish(self, learner: Learner) -> None:
        """Finish with the strategy `then`."""
        self.then.finish(learner)
