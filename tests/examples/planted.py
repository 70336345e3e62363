"""Real strategies with mistakes that a gate must find; which of them are made is said by the line below."""

import time

from ftbench import Bench, Learner, hookimpl

from ftbench_plugins.strategies.adapter import Adapter
from ftbench_plugins.strategies.frozen import Frozen
from ftbench_plugins.strategies.lora import LoRA

MADE = ()


class LoRAWithoutB(LoRA):
    """LoRA; by mistake its B is never trained: it is frozen, or its gradient is lost."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze B."""
        super().prepare(learner, bench)
        for name, parameter in learner.model.named_parameters():
            if "lora_B" in name and "lora-frozen" in MADE:
                parameter.requires_grad = False

    def after_backward(self, learner: Learner, step: int) -> None:
        """Lose the gradient of B."""
        if "lora-lost" in MADE:
            for name, parameter in learner.model.named_parameters():
                if "lora_B" in name:
                    parameter.grad = None


class WrongScale(Adapter):
    """A parallel adapter; by mistake its output is scaled wrongly."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Take the scale for its thousandfold."""
        self.kind = "parallel"
        self.scale *= 1000 if "adapter" in MADE else 1
        super().prepare(learner, bench)


class LastBatch(Frozen):
    """Head only; by mistake the last batch of each epoch is dropped."""

    def fit(self, learner: Learner, bench: Bench) -> None:
        """Make the loader one batch shorter."""
        loader = bench.loader()
        if "loader" in MADE and loader.per_epoch > 1:
            loader.per_epoch -= 1
            loader.steps = loader.per_epoch * (loader.training.epochs or 1)
        bench.train(learner, self, loader=loader)


class LargeHead(Frozen):
    """Head only; by mistake there are two of them."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Put a second head beside the first, and average."""
        super().prepare(learner, bench)
        if "head" not in MADE:
            return
        from torch import nn

        class Both(nn.Module):
            def __init__(self, one: nn.Linear) -> None:
                super().__init__()
                self.one, self.other = one, nn.Linear(one.in_features, one.out_features)

            def forward(self, x):
                return (self.one(x) + self.other(x)) / 2

        learner.heads[learner.active] = {name: Both(head) for name, head in learner.heads[learner.active].items()}
        learner.activate(learner.active, learner.task)


class Slow(Frozen):
    """Head only; by mistake it waits at every step."""

    def before_step(self, learner: Learner, step: int) -> None:
        """Wait."""
        if "slow" in MADE:
            time.sleep(0.03)


@hookimpl
def ftbench_strategies():
    return {
        "planted-lora": LoRAWithoutB,
        "planted-adapter": WrongScale,
        "planted-loader": LastBatch,
        "planted-head": LargeHead,
        "planted-slow": Slow,
    }
