"""A strategy whose score is a known function of its options, and a task whose test split must not be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import (
    Backbone,
    Encoded,
    Example,
    Learner,
    Measurement,
    ModelCard,
    Provenance,
    RateRange,
    Roles,
    Scored,
    Splits,
    Strategy,
    Task,
    Tunable,
    hookimpl,
)

BEST_RATE = 3e-3
BEST_WIDTH = 16


class Sealed(Sequence):
    """Examples that nobody may look at."""

    def __getitem__(self, place):
        raise RuntimeError("the test split was read")

    def __len__(self):
        raise RuntimeError("the test split was counted")


@dataclass
class SealedTask(Task):
    """The answer is a level; the score is its mean. The test split is sealed where `sealed` says so."""

    modality = "vision"
    unit = "numbers"
    primary = "level"
    answer = "number"

    sealed: bool = True
    """Whether the test split raises when it is read."""

    @property
    def classes(self):
        return ()

    @property
    def outputs(self):
        return 1

    def splits(self, seed):
        examples = [Example(f"e{number}", number, 0) for number in range(12)]
        return Splits(examples[:8], examples[8:10], Sealed() if self.sealed else examples[10:])

    def encode(self, examples, processor):
        count = len(examples)
        ids = tuple(example.id for example in examples)
        return Encoded(
            {"pixel_values": np.ones((count, 1), np.float32)}, np.zeros(count, np.float32), ids, np.ones(count)
        )

    def fingerprint(self):
        return {"made": 1}

    def provenance(self):
        return Provenance("CC0-1.0", "made by this plugin", "synthetic")

    def loss(self, outputs, batch):
        return (outputs.logits[:, 0] - batch["labels"]).square().mean()

    def score(self, answers, examples):
        level = float(np.mean(answers))
        said = tuple(
            {"id": identity, "prediction": float(np.mean(answer))}
            for identity, answer in zip(examples.ids, answers, strict=True)
        )
        return Scored((Measurement("level", level, "1", "higher", method="mean of the answers", scope="test"),), said)


@dataclass
class LevelBackbone(Backbone):
    """A network that answers with its level."""

    def card(self):
        return ModelCard("level", "vision", frozenset(), "CC0-1.0", "none", full_lr=1e-3, answers=frozenset({"number"}))

    def fingerprint(self):
        return {"weights": "none"}

    def load(self, labels, answer="class"):
        import torch
        from torch import nn

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.ModuleList([nn.Identity()])
                self.head = nn.Linear(1, 1)
                self.register_buffer("level", torch.zeros(()))

            def forward(self, pixel_values):
                return type("Output", (), {"logits": 0 * self.head(pixel_values) + self.level})

        return Learner(Network(), Roles(head=("head",), block_lists=("blocks",)), None, self.card())


@dataclass
class Response(Strategy):
    """Its level rises to 1 less the distance of its options from the best ones, in powers of ten and of two."""

    lr_range: ClassVar[RateRange | None] = RateRange(0.01, 100.0, "planted")

    width: Annotated[int, Ge(1), Tunable((4, 8, 16, 32))] = 4
    """Best at 16."""
    fails_from: float = 1.0
    """Learning rate from which on the training fails."""
    _goal: float = field(init=False, repr=False, default=0.0)

    def prepare(self, learner, bench):
        learner.freeze_backbone()
        lr = bench.training.lr
        if lr >= self.fails_from:
            raise RuntimeError("too fast")
        self._goal = 1 - math.log10(lr / BEST_RATE) ** 2 / 4 - abs(math.log2(self.width / BEST_WIDTH)) / 8
        self._steps = bench.training.steps

    def before_step(self, learner, step):
        learner.model.level.fill_(self._goal * (step + 1) / self._steps)


@hookimpl
def ftbench_tasks():
    return {"sealed": SealedTask}


@hookimpl
def ftbench_backbones():
    return {"level": LevelBackbone}


@hookimpl
def ftbench_strategies():
    return {"response": Response}
