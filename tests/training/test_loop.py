"""The loop: against bare PyTorch, its schedule against formulas, and what must not change a result."""

import copy
import math
from typing import get_args

import numpy as np
import pytest
import torch
from ftbench import Diverged, Encoded, Loader, Measurement, Training, UserError
from ftbench.api.protocol import OptimizerName
from ftbench.suite.trial import TRAINING_VERSION
from ftbench.training.loop import fit, predict, rate
from ftbench.training.optimizers import make_optimizer
from ftbench.training.seeding import seed_all


@pytest.fixture
def ready(catalog):
    """A tiny learner, its encoded training split, and a way to make loaders."""
    task = catalog.build("tasks", "digits", {"train_size": 40, "validation_size": 0, "test_size": 40})
    seed_all(0)
    learner = catalog.build("backbones", "tiny-vit", {}).load(10)
    learner.adopt_head("digits", learner)
    learner.activate("digits", task)
    splits = task.splits(0)
    encoded = task.encode(splits.train, learner.processor)
    return (
        learner,
        encoded,
        lambda **knobs: Loader(encoded, task, Training(**{"epochs": 2, "batch_size": 8, "lr": 1e-3, **knobs}), seed=3),
    )


def run(learner, loader, catalog, use="full", **options):
    strategy = catalog.build("strategies", use, options)
    strategy.prepare(learner, None)
    return fit(learner, loader, strategy, lambda step, trace: None, "digits")


def test_the_loop_is_bare_pytorch_to_the_last_bit(ready, catalog):
    learner, encoded, loader = ready
    bare = copy.deepcopy(learner.model)
    trace = run(learner, loader(schedule="linear", warmup=0.2), catalog)

    vectors = [p for p in bare.parameters() if p.ndim <= 1]
    matrices = [p for p in bare.parameters() if p.ndim > 1]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: (s + 1) / 2 if s < 2 else 1 - (s - 2) / 8)
    losses = []
    bare.train()
    for epoch in range(2):
        order = np.random.default_rng([3, epoch]).permutation(40)
        for begin in range(0, 40, 8):
            rows = order[begin : begin + 8]
            logits = bare(pixel_values=torch.from_numpy(encoded.columns["pixel_values"][rows])).logits
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(encoded.labels[rows]))
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*matrices, *vectors], 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())

    assert trace.task_losses == losses
    assert all(torch.equal(a, b) for a, b in zip(learner.model.parameters(), bare.parameters(), strict=True))


def test_accumulation_does_not_change_the_result(ready, catalog):
    learner, _, loader = ready
    other = copy.deepcopy(learner)
    whole = run(learner, loader(), catalog)
    parts = run(other, loader(accumulation=4), catalog)
    assert parts.task_losses == pytest.approx(whole.task_losses, abs=1e-5)


def test_the_same_seed_gives_the_same_losses_and_another_does_not(ready, catalog):
    learner, encoded, loader = ready
    again, another = copy.deepcopy(learner), copy.deepcopy(learner)
    first = run(learner, loader(), catalog)
    assert run(again, loader(), catalog).losses == first.losses
    elsewhere = Loader(encoded, learner.task, loader().training, seed=4)
    changed = run(another, elsewhere, catalog)
    assert changed.order_hash != first.order_hash
    assert changed.losses != first.losses


def test_the_order_is_the_same_for_every_strategy(ready, catalog):
    learner, _, loader = ready
    hashes = {run(copy.deepcopy(learner), loader(), catalog, use).order_hash for use in ("full", "frozen", "bitfit")}
    assert len(hashes) == 1


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize(("made", "steps", "accumulation"), [(0, 3, 1), (0, 10, 2), (2, 9, 1), (5, 10, 3)])
def test_the_rows_taken_are_those_of_the_order(made, steps, accumulation, group, ready):
    _, _, loader = ready
    own = loader(epochs=None, steps=steps, batch_size=16, accumulation=accumulation, group_by_length=group)
    taken = [row for parts in own.after(made) for part in parts for row in part.batch["rows"].tolist()]
    ordered = np.concatenate([own.order(epoch) for epoch in range(-(-steps // own.per_epoch))]).tolist()
    sizes = [
        len(own.encoded) - 16 * (own.per_epoch - 1) if n % own.per_epoch == own.per_epoch - 1 else 16
        for n in range(steps)
    ]
    assert taken == ordered[sum(sizes[:made]) : sum(sizes)]
    own.check_taken(made, steps)
    with pytest.raises(RuntimeError, match="were not taken in their order"):
        own.check_taken(made, steps - 1)


def test_a_loader_that_takes_other_rows_is_found(ready, catalog):
    learner, _, loader = ready
    own = loader()
    own.micro_batches = lambda rows, epoch, original=own.micro_batches: original(rows[::-1].copy(), epoch)
    with pytest.raises(RuntimeError, match="the examples of steps 0 to 10 were not taken in their order"):
        run(learner, own, catalog)


def test_steps_and_epochs_count_what_they_say(ready):
    _, encoded, loader = ready
    assert len(loader()) == 10
    assert len(loader(epochs=None, steps=7)) == 7
    sizes = [sum(len(p.batch["labels"]) for p in micro_batches) for micro_batches in loader(batch_size=16)]
    assert sizes == [16, 16, 8] * 2
    seen = [int(i) for i in np.concatenate([loader().order(0)])]
    assert sorted(seen) == list(range(len(encoded)))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", lambda step: 1.0),
        ("linear", lambda step: 1 - (step - 10) / 90),
        ("cosine", lambda step: 0.5 * (1 + math.cos(math.pi * (step - 10) / 90))),
        ("inverse_sqrt", lambda step: math.sqrt(10 / (step + 1))),
        ("step", lambda step: 1.0 if step < 50 else 0.1 if step < 75 else 0.01),
    ],
)
def test_schedules_are_their_formulas_after_a_linear_warm_up(schedule, expected):
    training = Training(steps=100, schedule=schedule, warmup=0.1)
    assert [rate(s, 100, training) for s in range(10)] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert [rate(s, 100, training) for s in range(10, 100)] == pytest.approx([expected(s) for s in range(10, 100)])


def watching(losses):
    """Replace the validations of a training by given ones, one after each step."""
    return lambda step, trace: [Measurement("loss", losses[step - 1], "nat", "lower")]


def test_on_a_plateau_the_rate_falls_at_the_step_after_the_validation(ready, catalog):
    learner, _, loader = ready
    strategy = catalog.build("strategies", "frozen", {})
    strategy.prepare(learner, None)
    optimizers, rates = [], []

    def optimizer(learner, groups):
        optimizers.append(torch.optim.SGD(groups, lr=1e-3))
        return optimizers[0]

    strategy.optimizer = optimizer
    strategy.before_step = lambda learner, step: rates.append(optimizers[0].param_groups[0]["lr"])
    protocol = loader(schedule="plateau", warmup=0.2, patience=2, step_factor=0.5)
    fit(learner, protocol, strategy, watching([3, 2, 2, 2, 1, 1, 1, 1, 1, 0]), "digits")
    assert rates == pytest.approx([0.5e-3, 1e-3, 1e-3, 1e-3, 0.5e-3, 0.5e-3, 0.5e-3, 0.25e-3, 0.25e-3, 0.125e-3])


def test_training_stops_where_the_validation_says(ready, catalog):
    learner, _, loader = ready
    strategy = catalog.build("strategies", "frozen", {})
    strategy.prepare(learner, None)
    trace = fit(learner, loader(early_stopping=2), strategy, watching([3, 2, 1, 1, 1, 0, 0, 0, 0, 0]), "digits")
    assert (len(trace.losses), len(trace.seconds), trace.planned, trace.kept) == (5, 5, 10, None)
    assert trace.order_hash == loader().order_hash()


def test_the_weights_kept_are_those_of_the_best_validation_to_the_last_bit(catalog, model_folder):
    """With batch normalisation, whose statistics move too; the training goes on as if nothing were kept."""
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("resnet"))})
    task = catalog.build("tasks", "digits", {"train_size": 40, "validation_size": 0, "test_size": 40})

    def train(losses, **knobs):
        seed_all(0)
        learner = backbone.load(10)
        learner.adopt_head("digits", learner)
        learner.activate("digits", task)
        encoded = task.encode(task.splits(0).train, learner.processor)
        states = []

        def after_step(step, trace):
            states.append({name: tensor.clone() for name, tensor in learner.model.state_dict().items()})
            return watching(losses)(step, trace)

        strategy = catalog.build("strategies", "full", {})
        strategy.prepare(learner, None)
        trace = fit(
            learner, Loader(encoded, task, Training(steps=6, lr=1e-2, **knobs), seed=3), strategy, after_step, "digits"
        )
        return learner.model.state_dict(), states, trace

    kept, states, trace = train([5, 4, 1, 2, 1, 3], keep="best")
    last, others, other = train([5, 4, 1, 2, 1, 3])
    assert (trace.kept, other.kept) == (3, None)
    assert trace.losses == other.losses
    assert all(torch.equal(kept[name], states[2][name]) for name in kept)
    assert all(torch.equal(last[name], others[5][name]) for name in last)
    moved = {name for name in kept if not torch.equal(kept[name], last[name])}
    assert {"resnet.embedder.embedder.normalization.running_mean", "classifier.1.weight"} <= moved


def test_a_loss_that_is_no_number_ends_the_training_and_says_where(ready, catalog):
    learner, _, loader = ready
    strategy = catalog.build("strategies", "full", {})
    strategy.prepare(learner, None)
    strategy.loss = lambda learner, batch, outputs, loss: loss * (float("nan") if strategy.step == 3 else 1)
    strategy.before_step = lambda learner, step: setattr(strategy, "step", step)
    with pytest.raises(Diverged, match=r"the loss is nan at step 4; the last finite one was"):
        fit(learner, loader(), strategy, lambda step, trace: None, "digits")


def test_a_gradient_that_is_no_number_ends_the_training_before_it_moves_anything(ready, catalog):
    learner, _, loader = ready
    strategy = catalog.build("strategies", "full", {})
    strategy.prepare(learner, None)
    named = dict(learner.model.named_parameters())

    def poison(learner, step):
        if step == 2:
            named["vit.layers.1.mlp.fc1.weight"].grad[0, 0] = float("inf")

    strategy.after_backward = poison
    with pytest.raises(
        Diverged, match=r"the gradient of vit.layers.1.mlp.fc1.weight is not finite at step 3; the loss was [0-9.]+"
    ):
        fit(learner, loader(), strategy, lambda step, trace: None, "digits")
    assert all(bool(torch.isfinite(p).all()) for p in learner.model.parameters())


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_every_optimizer_of_torch_by_its_name_trains(name, ready, catalog):
    learner, _, loader = ready
    strategy = catalog.build("strategies", "full", {})
    strategy.prepare(learner, None)
    before = [p.detach().clone() for p in learner.model.parameters()]
    trace = fit(learner, loader(optimizer=name, lr=1e-3), strategy, lambda step, trace: None, "digits")
    assert all(math.isfinite(loss) for loss in trace.losses)
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.model.parameters(), strict=True))


def test_the_names_of_optimizers_are_torchs():
    import inspect

    classes = {n.lower() for n, c in vars(torch.optim).items() if inspect.isclass(c)} - {"optimizer"}
    # These need a closure, sparse gradients, or matrices alone.
    assert set(get_args(OptimizerName)) | {"lbfgs", "sparseadam", "muon"} >= classes
    assert set(get_args(OptimizerName)) <= classes


def test_options_of_an_optimizer_reach_it_and_wrong_ones_are_told():
    parameter = torch.nn.Parameter(torch.ones(2))
    made = make_optimizer(
        [{"params": [parameter]}], Training(steps=1, lr=0.1, optimizer="sgd", optimizer_options={"momentum": 0.9})
    )
    assert (made.defaults["momentum"], made.defaults["lr"], made.defaults["weight_decay"]) == (0.9, 0.1, 0.01)
    for options, message in (
        ({"momentun": 0.9}, "SGD reports: .*momentun"),
        ({"momentum": -1.0}, "SGD reports: Invalid momentum"),
    ):
        with pytest.raises(UserError, match=message):
            make_optimizer(
                [{"params": [parameter]}], Training(steps=1, lr=0.1, optimizer="sgd", optimizer_options=options)
            )


def test_a_smoothed_and_weighted_loss_is_its_formula(ready):
    learner, encoded, _ = ready
    task = learner.task
    torch.manual_seed(0)
    outputs = type("Out", (), {"logits": torch.randn(6, 10)})
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    log = outputs.logits.log_softmax(-1)
    plain = -log[range(6), labels]
    assert float(task.loss(outputs, {"labels": labels})) == pytest.approx(float(plain.mean()), rel=1e-6)
    task.train_as(Training(steps=1, label_smoothing=0.2), encoded.labels)
    smooth = 0.8 * plain - 0.2 * log.mean(-1)
    assert float(task.loss(outputs, {"labels": labels})) == pytest.approx(float(smooth.mean()), rel=1e-6)
    task.train_as(Training(steps=1, class_weights="balanced"), labels.numpy())
    weights = torch.tensor([6 / (10 * 3), 6 / 10, 6 / (10 * 2)])[labels]
    assert float(task.loss(outputs, {"labels": labels})) == pytest.approx(float((weights * plain).mean()), rel=1e-6)
    halves = [
        task.loss(type("Out", (), {"logits": outputs.logits[part]}), {"labels": labels[part]})
        for part in (slice(3), slice(3, 6))
    ]
    assert float(sum(halves) / 2) == pytest.approx(float((weights * plain).mean()), rel=1e-6)


def test_outputs_that_are_no_numbers_are_not_scored(ready):
    learner, encoded, _ = ready
    with torch.no_grad():
        learner.head[0].bias[0] = float("inf")
    with pytest.raises(Diverged, match="outputs are not finite"):
        predict(learner, learner.task, encoded, 16)


def test_ragged_rows_are_padded_and_masked(catalog):
    task = catalog.build("tasks", "word-sentiment", {"train_size": 20, "validation_size": 0, "test_size": 20})
    learner = catalog.build("backbones", "minilm", {}).load(2)
    encoded = task.encode(task.splits(0).train, learner.processor)
    batch = task.collate(encoded, [0, 1, 2, 3])
    together = learner.forward(batch).logits
    alone = torch.cat([learner.forward(task.collate(encoded, [row])).logits for row in range(4)])
    assert batch["attention_mask"].sum() == encoded.units[:4].sum()
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_split_without_examples_is_no_encoded():
    encoded = Encoded({}, np.zeros(0, np.int64), (), np.zeros(0))
    assert len(encoded) == 0


def test_the_training_version_is_raised_when_the_loop_changes_a_result():
    """A trace of the loop on a linear model: if it moves, TRAINING_VERSION must be raised and the trace renewed."""
    torch.manual_seed(0)
    weight = torch.nn.Linear(4, 2)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = weight

        def forward(self, values):
            return type("Out", (), {"logits": self.linear(values)})

    from ftbench import Learner, ModelCard, Roles, Strategy
    from ftbench.tasks import ClassificationTask

    class Toy(ClassificationTask):
        unit, modality, classes = "rows", "text", ("a", "b")

        def splits(self, seed): ...
        def encode(self, examples, processor): ...
        def fingerprint(self): ...
        def provenance(self): ...

    class Whole(Strategy):
        def prepare(self, learner, bench): ...

    rows = np.arange(48, dtype=np.float32).reshape(12, 4) / 48
    encoded = Encoded({"values": rows}, np.arange(12) % 2, tuple(map(str, range(12))), np.ones(12))
    learner = Learner(Model(), Roles(("linear",), ()), None, ModelCard("toy", "text", frozenset(), "", "", 1e-2))
    learner.task = Toy()
    loader = Loader(encoded, learner.task, Training(epochs=3, batch_size=4, lr=0.1), seed=1)
    trace = fit(learner, loader, Whole(), lambda step, trace: None, "toy")
    known = {2: [0.7153, 0.6833, 0.7792, 0.7004, 0.7143, 0.6948, 0.6935, 0.6931, 0.6982]}
    assert [round(value, 4) for value in trace.losses] == known[TRAINING_VERSION]


def test_an_optimizer_with_parameters_that_cannot_train_is_refused(catalog):
    from ftbench import PluginError, Strategy

    class Everything(Strategy):
        def prepare(self, learner, bench):
            learner.freeze_backbone()

        def param_groups(self, learner):
            return [{"params": list(learner.model.parameters())}]

    task = catalog.build("tasks", "digits", {"train_size": 20, "validation_size": 0, "test_size": 20})
    learner = catalog.build("backbones", "tiny-vit", {}).load(10)
    encoded = task.encode(task.splits(0).train, learner.processor)
    strategy = Everything()
    strategy.prepare(learner, None)
    with pytest.raises(PluginError, match=r"Everything: its optimizer has parameters that require no gradient: vit\."):
        fit(learner, Loader(encoded, task, Training(steps=2, lr=0.1), seed=1), strategy, lambda *_: None, "digits")
