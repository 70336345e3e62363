"""Check a strategy against its contract and return each property with its figure and tolerance.

`check_strategy` trains a few steps on a real backbone and real data; `ftbench check strategy` prints its findings.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ..api.encoded import Encoded, Ragged
from ..api.meter import Trace, Watch
from ..api.protocol import Training
from ..api.strategy import Strategy
from ..errors import Diverged, NotApplicable, PluginError
from ..training.accounting.tuned import trained_parameters
from ..training.bench import StageData, TrialBench
from ..training.phases import Phases
from ..training.seeding import seed_all
from .finding import Finding
from .meters import check_meter
from .model_state import copies, has_dropout, largest_gap, nudge, same, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.learner import Learner
    from ..api.task import Task

__all__ = ["Finding", "check_meter", "check_strategy"]

EXAMPLES = 16
STEPS = 4


def check_strategy(
    make: Callable[[], Strategy], backbone: Backbone, task: Task, catalog: Catalog | None = None
) -> list[Finding]:
    """Check a strategy on one backbone and task.

    Args:
        make: returns a fresh instance of the strategy each time.
        backbone: backbone to apply the strategy to.
        task: task that provides the sixteen training examples.
        catalog: catalog of nested strategies, for strategies that need some.

    Returns:
        One finding per property; a single finding if the strategy is not applicable.
    """
    try:
        make().check(backbone.card())
        return list(_Check(make, backbone, task, catalog).findings())
    except NotApplicable as error:
        return [Finding("applicable", passed=True, detail=f"not applicable: {error}")]


def check_what_trains(
    make: Callable[[], Strategy], backbone: Backbone, task: Task, catalog: Catalog | None = None
) -> list[Finding]:
    """Check only what trains, what is counted and what restores the model; arguments as in `check_strategy`."""
    try:
        make().check(backbone.card())
        check = _Check(make, backbone, task, catalog)
        return [*check.what_trains(), check.stored_tensors_restore_model()]
    except NotApplicable:
        return []


class _Check:
    def __init__(self, make: Callable[[], Strategy], backbone: Backbone, task: Task, catalog: Catalog | None) -> None:
        self.make, self.backbone, self.task, self.catalog = make, backbone, task, catalog
        self.processor = backbone.load(task.outputs, task.answer).processor
        self.examples = task.splits(0).train[:EXAMPLES]
        self.data = task.encode(self.examples, self.processor)

    def findings(self) -> Iterator[Finding]:
        trains = list(self.what_trains())
        yield from trains
        if len(trains) == 1:
            return
        yield self._starts_equal_to_backbone()
        yield self._finishing_keeps_predictions()
        yield self.stored_tensors_restore_model()
        yield self._runs_are_deterministic()
        yield self._begins_as_named()
        yield self._accumulation_keeps_result()
        yield self._padding_keeps_predictions()
        yield self._loss_falls()
        yield self._range_contains_rate()
        yield self._range_ends_converge()
        yield self._state_ignores_batch_size()
        yield self._temperature_keeps_teacher()
        yield self._unknown_architecture()

    def _encode(self, backbone: Backbone, processor: Any) -> dict[str, Encoded]:
        del backbone
        return {"train": self.task.encode(self.examples, processor)}

    # -- running a strategy --------------------------------------------------------------------------------------------

    def _prepare(
        self, data: Encoded | None = None, temperature: float | None = None, draw: int = 0, **training: Any
    ) -> tuple[Strategy, Learner, TrialBench]:
        """Prepare a fresh learner, with weight decay so that parameters wrongly given to the optimizer change."""
        import torch

        protocol = {"steps": STEPS, "batch_size": 8, "lr": 1e-3, "weight_decay": 0.1, "warmup": 0.0, **training}
        stage = StageData("task", self.task, Training(**protocol), {"train": data or self.data}, self._encode)
        watch = Watch("cpu", 0)
        phases = Phases(watch, [], lambda: None)
        bench = TrialBench(
            [stage],
            self.backbone,
            self.catalog,  # type: ignore[arg-type]  # only nested strategies need a catalog
            phases,
            watch,
            seed=0,
            device=torch.device("cpu"),
            after_step=lambda *_: None,
        )
        seed_all(draw)
        learner = self.backbone.load(self.task.outputs, self.task.answer)
        learner.adopt_head("task", learner)
        learner.activate("task", self.task)
        bench.adopt(learner)
        strategy = self.make()
        if temperature is not None:
            strategy.temperature = temperature  # type: ignore[attr-defined]  # set only if it has one
        strategy.prepare(learner, bench)
        return strategy, learner, bench

    def _train(
        self, data: Encoded | None = None, temperature: float | None = None, **training: Any
    ) -> tuple[Strategy, Learner, TrialBench]:
        strategy, learner, bench = self._prepare(data, temperature, **training)
        strategy.fit(learner, bench)
        return strategy, learner, bench

    def _predict(self, learner: Learner, data: Encoded | None = None) -> Tensor:
        import torch

        found = data or self.data
        learner.eval()
        with torch.no_grad():
            logits: Tensor = learner.forward(self.task.collate(found, range(len(found)))).logits
        return logits

    # -- the properties ------------------------------------------------------------------------------------------------

    def what_trains(self) -> Iterator[Finding]:
        """Compare what is declared trainable with what the optimizer gets, what changes and what is counted."""
        name = "the optimizer gets exactly the parameters declared trainable"
        strategy, learner, bench = self._prepare()
        declared = {name: parameter.numel() for name, parameter in learner.trainable()}
        before = copies(learner)
        try:
            strategy.fit(learner, bench)
        except PluginError as error:
            yield Finding(name, passed=False, detail=str(error))
            return
        after = copies(learner)
        changed = {name for name in before if name in after and not same(before[name], after[name])}
        buffers = {name for name, _ in learner.model.named_buffers()}
        traces = _traces(bench)
        given = set(traces[-1].trained) if traces else set()
        leaked = sorted(given ^ set(declared)) if traces else []
        yield Finding(name, not leaked, float(len(leaked)), 0.0, shorten(leaked))
        unexpected = sorted(changed - set(declared) - (buffers if strategy.moves_statistics else set()))
        name = "no other parameter or buffer changes, even with weight decay"
        yield Finding(name, not unexpected, float(len(unexpected)), 0.0, shorten(unexpected))
        counted = sum(traces[-1].trained.values()) if traces else 0
        expected = sum(declared.values()) if traces else 0
        off = abs(counted - expected)
        yield Finding("the number of trained parameters is correct", off == 0, float(off), 0.0)
        still = sorted(set(declared) - changed)
        share = 1 - len(still) / max(1, len(declared))
        yield Finding(
            "parameters declared trainable change",
            share > 0 or not declared,
            share,
            None,
            f"{len(still)} of {len(declared)} did not change: {shorten(still)}" if still else "",
        )

    def _starts_equal_to_backbone(self) -> Finding:
        seed_all(0)
        plain = self.backbone.load(self.task.outputs, self.task.answer)
        plain.task = self.task
        _, learner, _ = self._prepare()
        distance = largest_gap(self._predict(plain), self._predict(learner))
        promised = self.make().starts_within
        passed = promised is None or distance <= promised
        detail = "the strategy makes no such promise" if promised is None else ""
        return Finding("before training, predictions equal the backbone's", passed, distance, promised, detail)

    def _finishing_keeps_predictions(self) -> Finding:
        strategy, learner, _ = self._train()
        before = self._predict(learner)
        strategy.finish(learner)
        distance = largest_gap(before, self._predict(learner))
        return Finding("finishing (merging) does not change predictions", distance <= 1e-4, distance, 1e-4)

    def stored_tensors_restore_model(self) -> Finding:
        """Copy what is stored into a learner prepared from other random numbers and compare predictions."""
        import torch

        name = "what is stored is enough to restore the model"
        strategy, learner, bench = self._train()
        stored = {**strategy.stored(learner, self._trained(learner, bench)), **learner.moving_statistics()}
        if not stored:
            return Finding(name, passed=True, detail="nothing is trained")
        _, fresh, _ = self._prepare(draw=1)
        own = {**dict(fresh.model.named_parameters()), **dict(fresh.model.named_buffers())}
        changed = sorted(key for key, tensor in stored.items() if key not in own or own[key].shape != tensor.shape)
        if changed:
            return Finding(name, passed=True, detail=f"stored in another form: {shorten(changed)}")
        with torch.no_grad():
            for key, tensor in stored.items():
                own[key].copy_(tensor)
        distance = largest_gap(self._predict(learner), self._predict(fresh))
        return Finding(name, distance <= 1e-6, distance, 1e-6)

    def _trained(self, learner: Learner, bench: TrialBench) -> dict[str, Tensor]:
        chosen = {id(parameter) for parameter in (*trained_parameters(learner, _traces(bench)), *learner.adopted)}
        return {name: parameter for name, parameter in learner.named_parameters() if id(parameter) in chosen}

    def _runs_are_deterministic(self) -> Finding:
        one, other = copies(self._train()[1]), copies(self._train()[1])
        unequal = sorted(name for name in one if not same(one[name], other[name]))
        return Finding("two runs are bitwise equal", not unequal, float(len(unequal)), 0.0, shorten(unequal))

    def _begins_as_named(self) -> Finding:
        """Train with the strategy that `begins_as` returns and compare the results, which must be equal."""
        name = "a first task is learnt as by the strategy in begins_as"
        if type(self.make()).begins_as is Strategy.begins_as or self.catalog is None:
            return Finding(name, passed=True, detail="begins_as is not defined" if self.catalog else "needs a catalog")
        strategy, learner, bench = self._prepare()
        first = strategy.begins_as(bench)
        strategy.fit(learner, bench)
        if first is None or first is strategy:
            return Finding(name, passed=True, detail=f"begins_as returns {'the strategy itself' if first else 'None'}")
        check = _Check(lambda: first, self.backbone, self.task, self.catalog)
        _, other, _ = check._train()
        one, again = copies(learner), copies(other)
        unequal = sorted(
            name for name in {*one, *again} if name not in one or name not in again or not same(one[name], again[name])
        )
        return Finding(name, not unequal, float(len(unequal)), 0.0, shorten(unequal))

    def _accumulation_keeps_result(self) -> Finding:
        overrides: dict[str, Any] = {"lr": 1e-4, "steps": 2}
        _, whole, _ = self._train(**overrides)
        _, parts, _ = self._train(accumulation=2, **overrides)
        distance = largest_gap(self._predict(whole), self._predict(parts))
        random = has_dropout(whole)
        detail = "the backbone has dropout, which differs between micro-batches" if random else ""
        name = "gradient accumulation does not change the result"
        return Finding(name, random or distance <= 1e-3, distance, 1e-3, detail)

    def _padding_keeps_predictions(self) -> Finding:
        name = "padding does not change predictions"
        if not any(isinstance(column, Ragged) for column in self.data.columns.values()):
            return Finding(name, passed=True, detail="all inputs of the task have the same length")
        _, learner, _ = self._train()
        together = self._predict(learner)
        import torch

        alone = torch.cat([self._predict(learner, self.data.take([row])) for row in range(len(self.data))])
        distance = largest_gap(together, alone)
        return Finding(name, distance <= 1e-4, distance, 1e-4)

    def _loss_falls(self) -> Finding:
        name = "the loss falls on four examples"
        rate = self.make().lr(self.backbone.card())
        four = self.data.take(range(4))
        _, _, bench = self._train(four, steps=40, batch_size=4, schedule="constant", lr=rate)
        traces = _traces(bench)
        if not traces:
            return Finding(name, passed=True, detail="nothing is trained")
        losses = traces[-1].task_losses
        ratio = min(losses[-5:]) / losses[0]
        return Finding(name, ratio < 0.9, ratio, 0.9)

    def _range_contains_rate(self) -> Finding:
        name = "the learning rate range contains the published rate and cites a source"
        found = self.make().lr_range
        if found is None:
            return Finding(name, passed=True, detail="nothing is trained, so there is no range")
        holds = 0 < found.low <= 1 <= found.high and found.low < found.high
        detail = f"{found.low:g} to {found.high:g} times the published rate: {found.source or 'no source'}"
        return Finding(name, holds and bool(found.source.strip()), detail=detail)

    def _range_ends_converge(self) -> Finding:
        """Train at both ends: a range that diverges at an end wastes tuning trials."""
        name = "the loss stays finite at both ends of the learning rate range"
        found = self.make().lr_range
        if found is None:
            return Finding(name, passed=True, detail="nothing is trained, so there is no range")
        published = self.make().lr(self.backbone.card())
        broken = []
        for rate in (published * found.low, published * found.high):
            try:
                self._train(lr=rate)
            except Diverged as error:
                broken.append(f"at {rate:g} {error}")
        return Finding(name, not broken, float(len(broken)), 0.0, "; ".join(broken))

    def _state_ignores_batch_size(self) -> Finding:
        """Compare the state kept from a stage for two batch sizes; a squared mean gradient would differ."""
        name = "state kept from a stage does not depend on the batch size"
        if type(self.make()).end_stage is Strategy.end_stage:
            return Finding(name, passed=True, detail="no state is kept")
        losses = []
        for batch_size in (1, EXAMPLES):
            strategy, learner, bench = self._prepare(batch_size=batch_size)
            seed_all(1)
            strategy.end_stage(learner, bench)
            nudge(learner)
            losses.append([self._loss(strategy, learner) for _ in range(2)])
        (one, again), (other, _) = losses
        if one != again:
            return Finding(name, passed=True, detail="the loss is random")
        distance = abs(one - other) / max(abs(one), abs(other), 1e-12)
        return Finding(name, distance <= 0.05, distance, 0.05)

    def _temperature_keeps_teacher(self) -> Finding:
        """Compare the gradient of the teacher at a low and a high temperature; without the factor T² it vanishes."""
        name = "a high temperature does not weaken the teacher"
        strategy = self.make()
        if not hasattr(strategy, "temperature"):
            return Finding(name, passed=True, detail="the strategy has no temperature")
        gradients = []
        for temperature in (2.0, 200.0):
            strategy, learner, _ = self._train(temperature=temperature)
            gradients.append(self._teacher_gradient(strategy, learner))
        ratio = gradients[1] / max(gradients[0], 1e-12)
        return Finding(name, ratio >= 0.1, ratio, None, "gradient at T = 200 relative to T = 2; at least 0.1")

    def _teacher_gradient(self, strategy: Strategy, learner: Learner) -> float:
        """Return the norm of the logit gradient orthogonal to the gradient of the labels alone."""
        import torch

        batch = self._batch()
        learner.eval()
        outputs = learner.forward(batch)
        logits = outputs.logits = outputs.logits.detach().requires_grad_()
        task_loss = self.task.loss(outputs, batch)
        (labels,) = torch.autograd.grad(task_loss, logits, retain_graph=True)
        (whole,) = torch.autograd.grad(strategy.loss(learner, batch, outputs, task_loss), logits)
        labels, whole = labels.flatten(), whole.flatten()
        return float((whole - labels * (whole @ labels) / (labels @ labels)).norm())

    def _loss(self, strategy: Strategy, learner: Learner) -> float:
        batch = self._batch()
        learner.eval()
        outputs = learner.forward(batch)
        return float(strategy.loss(learner, batch, outputs, self.task.loss(outputs, batch)).detach())

    def _batch(self) -> dict[str, Tensor]:
        """Collate all examples into one batch, as the loader does."""
        import torch

        rows = range(len(self.data))
        return {**self.task.collate(self.data, rows), "rows": torch.arange(len(self.data))}

    def _unknown_architecture(self) -> Finding:
        name = "an unknown architecture is supported or refused with a reason"
        bare = dataclasses.replace(self.backbone.card(), architecture="nothing-known", roles=frozenset())
        try:
            self.make().check(bare)
        except NotApplicable as error:
            return Finding(name, bool(str(error)), detail=str(error))
        except Exception as error:  # noqa: BLE001 - any error of a plugin becomes the finding
            return Finding(name, passed=False, detail=f"{type(error).__name__}: {error}")
        return Finding(name, passed=True, detail="any backbone is supported")


def _traces(bench: TrialBench) -> list[Trace]:
    return bench._watch.traces  # noqa: SLF001 - the bench has no public access to its traces
