"""A network, a task and strategies that take next to no time, for runs of very many trials."""

import time
from dataclasses import dataclass

import numpy as np
from ftbench import Backbone, Encoded, Example, Learner, ModelCard, Provenance, Roles, Splits, Strategy, hookimpl
from ftbench.tasks import DrawnClassificationTask


@dataclass
class Points(DrawnClassificationTask):
    """Which side of a line is a point on?"""

    modality = "vision"
    unit = "points"

    @property
    def classes(self):
        """Two sides."""
        return ("left", "right")

    def splits(self, seed):
        """Draw points."""
        points = np.random.default_rng(7).normal(size=(120, 4)).astype(np.float32)
        sides = [point * (1 if (point.sum() > 0) == number % 2 else -1) for number, point in enumerate(points)]
        examples = [Example(f"point-{number}", point, number % 2) for number, point in enumerate(sides)]
        return Splits(**self.drawn(examples, seed))

    def encode(self, examples, processor):
        """Take the coordinates as they are."""
        return Encoded(
            columns={"pixel_values": np.stack([example.value for example in examples])},
            labels=np.array([example.label for example in examples]),
            ids=tuple(example.id for example in examples),
            units=np.ones(len(examples)),
        )

    def fingerprint(self):
        """There is one version."""
        return {"drawn": 1}

    def provenance(self):
        """Nobody's data."""
        return Provenance("CC0-1.0", "drawn by this plugin", "synthetic")


class Line(Backbone):
    """A network of two small layers."""

    def card(self):
        """Say what it has."""
        return ModelCard("line", "vision", frozenset({"ffn_in"}), "CC0-1.0", "random", full_lr=1e-2)

    def fingerprint(self):
        """There is one version."""
        return {"weights": "random"}

    def load(self, labels, answer="class"):
        """Draw weights."""
        from torch import nn

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.ModuleList([nn.Linear(4, 4)])
                self.head = nn.Linear(4, labels)

            def forward(self, pixel_values):
                return type("Output", (), {"logits": self.head(self.blocks[0](pixel_values).relu())})

        roles = Roles(head=("head",), block_lists=("blocks",), members={"ffn_in": ("blocks.0",)})
        return Learner(Network(), roles, None, self.card())


@dataclass
class Everything(Strategy):
    """Train the network whole, as slowly as is wished."""

    pause: float = 0.0
    """Seconds before each step."""
    variant: int = 0
    """Tells strategies apart that are the same."""

    def prepare(self, learner, bench):
        """Leave everything trainable."""

    def before_step(self, learner, step):
        """Wait."""
        time.sleep(self.pause)


@hookimpl
def ftbench_tasks():
    return {"points": Points}


@hookimpl
def ftbench_backbones():
    return {"line": Line}


@hookimpl
def ftbench_strategies():
    return {"everything": Everything}
