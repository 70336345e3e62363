"""Strategies with the mistakes people make; the conformance suite must name each."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from ftbench import RateRange, Strategy, hookimpl


@dataclass
class LeakedEmbedding(Strategy):
    """Hands the optimizer a parameter that is not declared to train."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()

    def param_groups(self, learner):
        leaked = learner.backbone_parameters()[0]
        leaked.requires_grad_(True)
        return [{"params": [*learner.head_parameters(), leaked]}]


@dataclass
class FrozenGiven(Strategy):
    """Hands the optimizer every parameter, frozen ones too: all of them would be counted as trained."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()

    def param_groups(self, learner):
        return [{"params": list(learner.model.parameters())}]


@dataclass
class LostMatrix(Strategy):
    """Draws a matrix that does not train, and does not store it."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        with torch.no_grad():
            next(parameter for parameter in learner.backbone_parameters() if parameter.ndim > 1).normal_()


@dataclass
class MovingNorm(Strategy):
    """Changes a buffer that should stay."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        learner.model.register_buffer("steps_seen", torch.zeros(()))

    def before_step(self, learner, step):
        learner.model.steps_seen += 1


@dataclass
class LostHead(Strategy):
    """Freezes the head too: nothing can be learnt."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        for parameter in learner.head_parameters()[1:]:
            parameter.requires_grad = False
        learner.head_parameters()[0].requires_grad = True
        self.scale = 0.0

    def loss(self, learner, batch, outputs, task_loss):
        return task_loss * self.scale


@dataclass
class WrongMerge(Strategy):
    """Changes the answers when it finishes."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()

    def finish(self, learner):
        with torch.no_grad():
            learner.head_parameters()[0].mul_(2)


@dataclass
class NoIdentity(Strategy):
    """Promises to begin as the backbone and does not."""

    starts_within: ClassVar[float | None] = 0.0

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        with torch.no_grad():
            learner.backbone_parameters()[-1].add_(0.5)


@dataclass
class Unseeded(Strategy):
    """Draws from a generator nobody seeds."""

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        generator = torch.Generator()
        generator.seed()
        with torch.no_grad():
            head = learner.head_parameters()[0]
            head.add_(torch.randn(head.shape, generator=generator) * 0.01)


@dataclass
class Sourceless(Strategy):
    """Publishes a range that leaves its own rate out, and names nobody."""

    lr_range: ClassVar[RateRange | None] = RateRange(2.0, 10.0, "")

    def prepare(self, learner, bench):
        learner.freeze_backbone()


@dataclass
class Exploding(Strategy):
    """Publishes a range whose upper end cannot be trained at."""

    lr_range: ClassVar[RateRange | None] = RateRange(0.1, 1e3, "nobody who tried")

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        self._too_fast = bench.training.lr > 100 * self.lr(learner.card)

    def loss(self, learner, batch, outputs, task_loss):
        return task_loss * float("inf") if self._too_fast else task_loss


@dataclass
class Picky(Strategy):
    """Fails with a traceback where it should say why not."""

    def check(self, card):
        return {"bert": 1, "vit": 1, "wav2vec2": 1}[card.architecture]

    def prepare(self, learner, bench):
        learner.freeze_backbone()


@dataclass
class SquaredBatches(Strategy):
    """Takes the square of a batch's mean gradient for the mean of squares, as some published EWC does."""

    def prepare(self, learner, bench):
        learner.model.requires_grad_(True)
        self.information, self.anchor = {}, {}

    def end_stage(self, learner, bench):
        loader = bench.loader()
        for portions in loader:
            learner.model.zero_grad()
            for portion in portions:
                bench.task.loss(learner.forward(portion.batch), portion.batch).backward()
            for name, parameter in learner.trainable():
                squared = (
                    parameter.grad.square() / loader.steps
                    if parameter.grad is not None
                    else torch.zeros_like(parameter)
                )
                self.information[name] = self.information.get(name, 0) + squared
        learner.model.zero_grad()
        self.anchor = {name: parameter.detach().clone() for name, parameter in learner.trainable()}

    def loss(self, learner, batch, outputs, task_loss):
        for name, parameter in learner.trainable():
            if name in self.anchor:
                task_loss = task_loss + 1e3 * (self.information[name] * (parameter - self.anchor[name]).square()).sum()
        return task_loss


@dataclass
class ForgottenTemperature(Strategy):
    """Distils at a temperature and does not multiply by its square."""

    temperature: float = 2.0

    def prepare(self, learner, bench):
        learner.model.requires_grad_(True)

    def fit(self, learner, bench):
        self.teacher = bench.load()
        with torch.no_grad():
            for parameter in self.teacher.head_parameters():
                parameter.mul_(5)
        self.teacher.eval()
        bench.train(learner, self)

    def loss(self, learner, batch, outputs, task_loss):
        with torch.no_grad():
            wanted = (self.teacher.forward(batch).logits / self.temperature).log_softmax(-1)
        given = (outputs.logits / self.temperature).log_softmax(-1)
        apart = torch.nn.functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
        return task_loss / 2 + apart / 2


@hookimpl
def ftbench_strategies():
    found = (
        LeakedEmbedding,
        FrozenGiven,
        LostMatrix,
        MovingNorm,
        LostHead,
        WrongMerge,
        NoIdentity,
        Unseeded,
        Picky,
        SquaredBatches,
        ForgottenTemperature,
        Sourceless,
        Exploding,
    )
    return {cls.__name__: cls for cls in found}
