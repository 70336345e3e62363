"""Two tasks one after another on real digits: what is forgotten by whom, ranges over seeds apart."""

import numpy as np
import pytest
import torch
from ftbench import Backbone, Encoded, Learner, ModelCard, Provenance, Roles
from ftbench.api.meter import Watch
from ftbench.api.protocol import Training
from ftbench.tasks import ClassificationTask
from ftbench.training.bench import StageData, TrialBench
from ftbench.training.loop import predict
from ftbench.training.phases import Phases
from ftbench.training.seeding import seed_all
from torch import nn


class Perceptron(Backbone):
    """64 inputs, 64 hidden units, ten classes."""

    def card(self):
        return ModelCard("perceptron", "vision", frozenset(), "", "", full_lr=1e-3)

    def fingerprint(self):
        return {}

    def load(self, labels, answer="class"):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.ModuleList([nn.Linear(64, 64)])
                self.head = nn.Linear(64, labels)

            def forward(self, pixels):
                return type("Output", (), {"logits": self.head(self.blocks[0](pixels).relu())})

        return Learner(Network(), Roles(("head",), ("blocks",)), None, self.card())


class Permuted(ClassificationTask):
    """Digits, their pixels in another order."""

    unit, modality = "images", "vision"
    classes = tuple("0123456789")

    def splits(self, seed): ...
    def encode(self, examples, processor): ...
    def fingerprint(self): ...
    def provenance(self):
        return Provenance("", "")


@pytest.fixture(scope="module")
def digits():
    """Two tasks: the digits as they are and permuted; 1,000 to train, 797 to test."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = np.random.default_rng(1).permutation(64)

    def encoded(rows, columns):
        return Encoded(
            {"pixels": pixels[rows][:, columns]},
            labels[rows].astype(np.int64),
            tuple(map(str, rows)),
            np.ones(len(rows)),
        )

    return [(encoded(order[:1000], c), encoded(order[1000:], c)) for c in (np.arange(64), shuffled)]


def learnt(catalog, digits, use, seed, **options):
    """Learn both tasks; gives A before, A after and B."""
    task, backbone = Permuted(), Perceptron()
    training = Training(epochs=20, batch_size=32, lr=1e-3, schedule="constant", warmup=0.0, weight_decay=0.0, clip=None)
    grounds = [StageData(name, task, training, {"train": train}) for name, (train, _) in zip("AB", digits, strict=True)]
    watch = Watch("cpu", 0)
    bench = TrialBench(
        grounds,
        backbone,
        catalog,
        Phases(watch, [], lambda: None),
        watch,
        seed=seed,
        device=torch.device("cpu"),
        after_step=lambda *_: None,
    )
    seed_all(seed)
    learner = backbone.load(10)
    for name in "AB":
        learner.adopt_head(name, backbone.load(10))
    bench.adopt(learner)
    strategy = catalog.build("strategies", use, options)

    def accuracy(name, test):
        learner.activate(name, task)
        return float((np.stack(predict(learner, task, test, 800).answers).argmax(1) == test.labels).mean())

    learner.activate("A", task)
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    before = accuracy("A", digits[0][1])
    strategy.end_stage(learner, bench)
    bench.stage = 1
    learner.activate("B", task)
    strategy.fit(learner, bench)
    return before, accuracy("A", digits[0][1]), accuracy("B", digits[1][1])


@pytest.mark.slow
def test_ewc_and_replay_forget_less_than_half_of_plain_training_and_learn_the_second_task(catalog, digits):
    found = {}
    for name, use, options in (
        ("naive", "full", {}),
        ("ewc", "ewc", {"strength": 100.0, "samples": 200}),
        ("replay", "replay", {"memory": 200}),
    ):
        found[name] = np.array([learnt(catalog, digits, use, seed, **options) for seed in range(3)])
    forgotten = {name: values[:, 0] - values[:, 1] for name, values in found.items()}
    print(
        {name: (values.mean(0).round(3).tolist(), forgotten[name].round(3).tolist()) for name, values in found.items()}
    )
    for name in ("ewc", "replay"):
        assert forgotten[name].mean() < forgotten["naive"].mean() / 2
        assert forgotten[name].max() < forgotten["naive"].min(), "ranges over seeds do not overlap"
        assert found[name][:, 2].mean() > 0.85


@pytest.mark.thorough
@pytest.mark.slow
def test_a_strength_of_zero_is_plain_training_and_more_strength_keeps_weights_closer(catalog, digits):
    assert learnt(catalog, digits, "ewc", 0, strength=0.0, samples=20) == learnt(catalog, digits, "full", 0)
    kept = [learnt(catalog, digits, "ewc", 0, strength=s, samples=200)[1] for s in (1.0, 100.0, 10_000.0)]
    assert kept == sorted(kept)
