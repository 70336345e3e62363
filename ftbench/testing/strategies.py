"""For plugin authors: does a strategy or a meter keep what all promise? Each property with its figure and tolerance.

`check_strategy` and `check_meter` run on real backbones and data, a few steps each; `ftbench check` prints what they find.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ..api.encoded import Encoded, Ragged
from ..api.meter import Watch
from ..api.protocol import Training
from ..api.strategy import Strategy
from ..errors import Diverged, NotApplicable
from ..training.bench import StageData, TrialBench
from ..training.phases import Phases
from ..training.seeding import seed_all
from .finding import Finding
from .meters import check_meter

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
        make: gives a fresh instance of the strategy each time.
        backbone: what it is applied to.
        task: where its training examples come from; sixteen are used.
        catalog: where nested strategies are found, for those that need some.

    Returns:
        One finding per property; one alone where the strategy says that it is not applicable.
    """
    try:
        make().check(backbone.card())
        return list(_Check(make, backbone, task, catalog).findings())
    except NotApplicable as error:
        return [Finding("applicable", passed=True, detail=f"not applicable: {error}")]


class _Check:
    def __init__(self, make: Callable[[], Strategy], backbone: Backbone, task: Task, catalog: Catalog | None) -> None:
        self.make, self.backbone, self.task, self.catalog = make, backbone, task, catalog
        self.processor = backbone.load(task.outputs, task.answer).processor
        self.examples = task.splits(0).train[:EXAMPLES]
        self.data = task.encode(self.examples, self.processor)

    def findings(self) -> Iterator[Finding]:
        yield from self._what_trains()
        yield self._starts_as_the_backbone()
        yield self._finishing_changes_no_answer()
        yield self._what_trained_is_enough_to_keep()
        yield self._two_runs_are_equal()
        yield self._begins_as_it_says()
        yield self._accumulation_changes_nothing()
        yield self._padding_changes_nothing()
        yield self._four_examples_are_learnt()
        yield self._its_range_holds_its_rate_and_has_a_source()
        yield self._it_trains_at_both_ends_of_its_range()
        yield self._memory_is_of_examples_not_batches()
        yield self._temperature_does_not_dim_the_teacher()
        yield self._an_impossible_backbone_is_refused()

    def _encode(self, backbone: Backbone, processor: Any) -> dict[str, Encoded]:
        del backbone
        return {"train": self.task.encode(self.examples, processor)}

    # -- a strategy at work ------------------------------------------------------------------------------------------------

    def _ready(
        self, data: Encoded | None = None, temperature: float | None = None, **training: Any
    ) -> tuple[Strategy, Learner, TrialBench]:
        """Prepare a fresh learner; weight decay is on, so that a parameter left in the optimizer by mistake moves."""
        import torch

        protocol = {"steps": STEPS, "batch_size": 8, "lr": 1e-3, "weight_decay": 0.1, "warmup": 0.0, **training}
        ground = StageData("task", self.task, Training(**protocol), {"train": data or self.data}, self._encode)
        watch = Watch("cpu", 0)
        phases = Phases(watch, [], lambda: None)
        bench = TrialBench(
            [ground],
            self.backbone,
            self.catalog,
            phases,
            watch,  # type: ignore[arg-type]  # only nested strategies need a catalog
            seed=0,
            device=torch.device("cpu"),
            after_step=lambda *_: None,
        )
        seed_all(0)
        learner = self.backbone.load(self.task.outputs, self.task.answer)
        learner.adopt_head("task", learner)
        learner.activate("task", self.task)
        bench.adopt(learner)
        strategy = self.make()
        if temperature is not None:
            strategy.temperature = temperature  # type: ignore[attr-defined]  # asked for only where it has one
        strategy.prepare(learner, bench)
        return strategy, learner, bench

    def _trained(
        self, data: Encoded | None = None, temperature: float | None = None, **training: Any
    ) -> tuple[Strategy, Learner, TrialBench]:
        strategy, learner, bench = self._ready(data, temperature, **training)
        strategy.fit(learner, bench)
        return strategy, learner, bench

    def _answers(self, learner: Learner, data: Encoded | None = None) -> Tensor:
        import torch

        found = data or self.data
        learner.eval()
        with torch.no_grad():
            logits: Tensor = learner.forward(self.task.collate(found, range(len(found)))).logits
        return logits

    # -- the properties ----------------------------------------------------------------------------------------------------

    def _what_trains(self) -> Iterator[Finding]:
        strategy, learner, bench = self._ready()
        declared = {name: parameter.numel() for name, parameter in learner.trainable()}
        before = _state(learner)
        strategy.fit(learner, bench)
        after = _state(learner)
        changed = {name for name in before if name in after and not _same(before[name], after[name])}
        buffers = {name for name, _ in learner.model.named_buffers()}
        traces = bench._watch.traces  # noqa: SLF001 - this is the core's own look at its bench
        given = set(traces[-1].trained) if traces else set()
        leaked = sorted(given ^ set(declared)) if traces else []
        yield Finding(
            "what the optimizer was given is what was declared to train",
            not leaked,
            float(len(leaked)),
            0.0,
            _few(leaked),
        )
        moved = sorted(changed - set(declared) - (buffers if strategy.moves_statistics else set()))
        yield Finding(
            "nothing else moves, buffers included, with weight decay on", not moved, float(len(moved)), 0.0, _few(moved)
        )
        counted = sum(traces[-1].trained.values()) if traces else 0
        expected = sum(declared.values()) if traces else 0
        yield Finding("the count of what trains is right", counted == expected, float(abs(counted - expected)), 0.0)
        still = sorted(name for name in declared if name not in changed)
        share = 1 - len(still) / max(1, len(declared))
        yield Finding(
            "what is declared to train does move",
            share > 0 or not declared,
            share,
            None,
            f"{len(still)} of {len(declared)} did not: {_few(still)}" if still else "",
        )

    def _starts_as_the_backbone(self) -> Finding:
        seed_all(0)
        plain = self.backbone.load(self.task.outputs, self.task.answer)
        plain.task = self.task
        _, learner, _ = self._ready()
        distance = _distance(self._answers(plain), self._answers(learner))
        promised = self.make().starts_within
        passed = promised is None or distance <= promised
        detail = "nothing is promised" if promised is None else ""
        return Finding("it starts as the backbone", passed, distance, promised, detail)

    def _finishing_changes_no_answer(self) -> Finding:
        strategy, learner, _ = self._trained()
        before = self._answers(learner)
        strategy.finish(learner)
        distance = _distance(before, self._answers(learner))
        return Finding("finishing (merging) changes no answer", distance <= 1e-4, distance, 1e-4)

    def _what_trained_is_enough_to_keep(self) -> Finding:
        """What trained, put into a freshly prepared learner, gives the same answers."""
        import torch

        _, learner, _ = self._trained()
        kept = {name: parameter.detach().clone() for name, parameter in learner.trainable()}
        kept |= {name: buffer.detach().clone() for name, buffer in learner.model.named_buffers()}
        _, fresh, _ = self._ready()
        own = {**dict(fresh.model.named_parameters()), **dict(fresh.model.named_buffers())}
        lost = sorted(set(kept) - set(own))
        with torch.no_grad():
            for name in set(kept) & set(own):
                own[name].copy_(kept[name])
        distance = _distance(self._answers(learner), self._answers(fresh))
        return Finding(
            "what trained is all that must be kept", not lost and distance <= 1e-6, distance, 1e-6, _few(lost)
        )

    def _two_runs_are_equal(self) -> Finding:
        one, other = _state(self._trained()[1]), _state(self._trained()[1])
        unequal = sorted(name for name in one if not _same(one[name], other[name]))
        return Finding("two runs are equal to the last bit", not unequal, float(len(unequal)), 0.0, _few(unequal))

    def _begins_as_it_says(self) -> Finding:
        """Where the first of several tasks need not be learnt twice, learning it must come to the same."""
        name = "it learns a first task as the strategy it names"
        if type(self.make()).begins_as is Strategy.begins_as or self.catalog is None:
            return Finding(
                name, passed=True, detail="it names none" if self.catalog else "there is no catalog to find it in"
            )
        strategy, learner, bench = self._ready()
        first = strategy.begins_as(bench)
        strategy.fit(learner, bench)
        if first is None or first is strategy:
            return Finding(name, passed=True, detail="it names itself" if first else "it names none")
        _, other, _ = _Check(lambda: first, self.backbone, self.task, self.catalog)._trained()  # noqa: SLF001 - one of its own
        one, same = _state(learner), _state(other)
        unequal = sorted(
            name for name in {*one, *same} if name not in one or name not in same or not _same(one[name], same[name])
        )
        return Finding(name, not unequal, float(len(unequal)), 0.0, _few(unequal))

    def _accumulation_changes_nothing(self) -> Finding:
        quiet: dict[str, Any] = {"lr": 1e-4, "steps": 2}
        _, whole, _ = self._trained(**quiet)
        _, parts, _ = self._trained(accumulation=2, **quiet)
        distance = _distance(self._answers(whole), self._answers(parts))
        noisy = _has_dropout(whole)
        detail = "the backbone has dropout, which draws anew for each part" if noisy else ""
        return Finding("accumulating gradients changes nothing", noisy or distance <= 1e-3, distance, 1e-3, detail)

    def _padding_changes_nothing(self) -> Finding:
        name = "padding changes no answer"
        if not any(isinstance(column, Ragged) for column in self.data.columns.values()):
            return Finding(name, passed=True, detail="the task's inputs are of one length")
        _, learner, _ = self._trained()
        together = self._answers(learner)
        import torch

        alone = torch.cat([self._answers(learner, self.data.take([row])) for row in range(len(self.data))])
        distance = _distance(together, alone)
        return Finding(name, distance <= 1e-4, distance, 1e-4)

    def _four_examples_are_learnt(self) -> Finding:
        rate = self.make().lr(self.backbone.card())
        strategy, learner, bench = self._ready(
            self.data.take(range(4)), steps=40, batch_size=4, schedule="constant", lr=rate
        )
        strategy.fit(learner, bench)
        traces = bench._watch.traces  # noqa: SLF001
        if not traces:
            return Finding("the loss falls on four examples", passed=True, detail="it trains nothing")
        losses = traces[-1].task_losses
        ratio = min(losses[-5:]) / losses[0]
        return Finding("the loss falls on four examples", ratio < 0.9, ratio, 0.9)

    def _its_range_holds_its_rate_and_has_a_source(self) -> Finding:
        name = "its range of learning rates holds the published one and says who searched it"
        found = self.make().lr_range
        if found is None:
            return Finding(name, passed=True, detail="it trains nothing, and has none")
        holds = 0 < found.low <= 1 <= found.high and found.low < found.high
        detail = f"{found.low:g} to {found.high:g} times the published rate: {found.source or 'no source'}"
        return Finding(name, holds and bool(found.source.strip()), detail=detail)

    def _it_trains_at_both_ends_of_its_range(self) -> Finding:
        """A range at whose ends nothing but noise comes out is no range a search should spend tries on."""
        name = "the loss stays finite at both ends of its range of learning rates"
        found = self.make().lr_range
        if found is None:
            return Finding(name, passed=True, detail="it trains nothing, and has none")
        published = self.make().lr(self.backbone.card())
        broken = []
        for rate in (published * found.low, published * found.high):
            try:
                self._trained(lr=rate)
            except Diverged as error:
                broken.append(f"at {rate:g} {error}")
        return Finding(name, not broken, float(len(broken)), 0.0, "; ".join(broken))

    def _memory_is_of_examples_not_batches(self) -> Finding:
        """What a strategy keeps of a stage must not depend on the batch size: a squared mean gradient, for one, would."""
        name = "what is kept of a stage does not depend on the batch size"
        if type(self.make()).end_stage is Strategy.end_stage:
            return Finding(name, passed=True, detail="it keeps nothing")
        losses = []
        for batch_size in (1, EXAMPLES):
            strategy, learner, bench = self._ready(batch_size=batch_size)
            seed_all(1)
            strategy.end_stage(learner, bench)
            _nudge(learner)
            losses.append([self._loss(strategy, learner) for _ in range(2)])
        (one, again), (other, _) = losses
        if one != again:
            return Finding(name, passed=True, detail="its loss draws at random")
        distance = abs(one - other) / max(abs(one), abs(other), 1e-12)
        return Finding(name, distance <= 0.05, distance, 0.05)

    def _temperature_does_not_dim_the_teacher(self) -> Finding:
        """At a high temperature a teacher must pull as hard as at a low one: forgetting T² lets its pull vanish."""
        name = "a high temperature does not dim the teacher"
        strategy = self.make()
        if not hasattr(strategy, "temperature"):
            return Finding(name, passed=True, detail="it has no temperature")
        pulls = []
        for temperature in (2.0, 200.0):
            strategy, learner, _ = self._trained(temperature=temperature)
            pulls.append(self._pull_beside_the_labels(strategy, learner))
        ratio = pulls[1] / max(pulls[0], 1e-12)
        return Finding(name, ratio >= 0.1, ratio, None, "its pull at T = 200 over that at T = 2; at least 0.1")

    def _pull_beside_the_labels(self, strategy: Strategy, learner: Learner) -> float:
        """Measure how much of the gradient on the logits does not point where the labels alone would have it."""
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
        """Make a batch of all examples, as the loader does."""
        import torch

        rows = range(len(self.data))
        return {**self.task.collate(self.data, rows), "rows": torch.arange(len(self.data))}

    def _an_impossible_backbone_is_refused(self) -> Finding:
        name = "a backbone without any known part is served or refused with a reason"
        bare = dataclasses.replace(self.backbone.card(), architecture="nothing-known", roles=frozenset())
        try:
            self.make().check(bare)
        except NotApplicable as error:
            return Finding(name, bool(str(error)), detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is the finding
            return Finding(name, passed=False, detail=f"{type(error).__name__}: {error}")
        return Finding(name, passed=True, detail="it serves any backbone")


def _nudge(learner: Learner) -> None:
    """Move everything that trains a little, so that what holds it shows."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, parameter in learner.trainable():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)


def _state(learner: Learner) -> dict[str, Tensor]:
    named = {**dict(learner.model.named_parameters()), **dict(learner.model.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in named.items()}


def _same(one: Tensor, other: Tensor) -> bool:
    import torch

    return one.shape == other.shape and torch.equal(one, other)


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _has_dropout(learner: Learner) -> bool:
    from torch import nn

    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in learner.model.modules())


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
