"""The bench of a trial: the interface that strategies see, implemented over real data, weights and checkpoints."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..api.catalog import nested
from ..api.loader import Loader
from ..api.meter import Trace
from ..api.strategy import Bench, OpenSplit
from ..errors import NotApplicable
from ..fingerprint import code_hash
from .compute import compute_as
from .resume import TrainingCheckpointer
from .seeding import seed_all, seeds_kept
from .shared_work import tensors_hash
from .snapshots import TRACE, as_tensor, from_tensor, load_delta, weight_delta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.encoded import Encoded
    from ..api.learner import Learner
    from ..api.measurement import Measurement
    from ..api.meter import Watch
    from ..api.protocol import Training
    from ..api.strategy import Strategy
    from ..api.task import Task
    from ..data.augmented import Augmented
    from .checkpoints import Checkpoints
    from .phases import Phases
    from .shared_work import Sharing

WARM_UP = 10
"""First steps of each training, charged to a phase of their own while allocators, kernels and caches warm up."""


@dataclass
class StageData:
    """One stage of a trial: its task, protocol and data."""

    label: str
    """The task's label."""
    task: Task
    training: Training
    """The protocol, with the learning rate resolved for the trial's strategy."""
    open: Mapping[str, Encoded]
    """The splits a strategy may see: train and validation."""
    encode: Callable[[Backbone, Any], Mapping[str, Encoded]] | None = None
    """Encodes the same rows for another backbone and its processor."""
    augmented: Callable[[Encoded, Any], Augmented | None] | None = None
    """Returns the training split, encoded by a processor, as augmented in each epoch; None without augmentations."""
    metric: str = ""
    """The deciding metric that the suite sets; empty for the task's own primary score."""

    @property
    def primary(self) -> str:
        """Name of the score that decides."""
        return self.metric or self.task.primary


class TrialBench(Bench):
    """The bench of one trial, over real data and weights."""

    def __init__(
        self,
        stage_data: list[StageData],
        backbone: Backbone,
        catalog: Catalog,
        phases: Phases,
        watch: Watch,
        *,
        seed: int,
        device: torch.device,
        after_step: Callable[[TrialBench, Learner, Loader, int, Trace], Sequence[Measurement] | None],
        checkpoints: Checkpoints | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self.stage = 0
        self.seed = seed
        self.device = device
        self._stage_data, self._backbone, self._catalog = stage_data, backbone, catalog
        self._phases, self._watch, self._after_step, self._sharing = phases, watch, after_step, sharing
        self._checkpoints = checkpoints
        self._checkpointers: list[TrainingCheckpointer] = []
        self._main: Learner | None = None
        self._spared = 0.0
        self.computes_because = ""
        """Why frozen features are recomputed at every step; empty if they are read from disk or nothing is frozen."""
        self._encoded: WeakKeyDictionary[Learner, Mapping[str, Encoded]] = WeakKeyDictionary()

    @property
    def stages(self) -> int:
        """Number of tasks learnt one after another."""
        return len(self._stage_data)

    @property
    def task(self) -> Task:
        """The current task."""
        return self._stage_data[self.stage].task

    @property
    def training(self) -> Training:
        """The protocol of the current stage."""
        return self._stage_data[self.stage].training

    @property
    def augmented(self) -> bool:
        """Whether training examples change from epoch to epoch."""
        return self._stage_data[self.stage].augmented is not None

    def encoded(self, split: OpenSplit = "train", stage: int | None = None, learner: Learner | None = None) -> Encoded:
        """Return a split of a stage; see `Bench.encoded`."""
        if learner is not None and learner in self._encoded:
            return self._encoded[learner][split]
        data = self._stage_data[self.stage if stage is None else stage]
        if split not in data.open:
            message = f"a strategy sees {' and '.join(sorted(data.open))}, not {split!r}"
            raise ValueError(message)
        return data.open[split]

    def loader(
        self, split: OpenSplit = "train", stage: int | None = None, learner: Learner | None = None, **changes: Any
    ) -> Loader:
        """Return the batches of a split; see `Bench.loader`."""
        data = self._stage_data[self.stage if stage is None else stage]
        training = replace(data.training, **changes)
        seed = int(np.random.SeedSequence([self.seed, self._stage_data.index(data)]).generate_state(1)[0])
        encoded, augmented = self.encoded(split, stage, learner), None
        if split == "train" and data.augmented is not None:
            reader = learner if learner is not None and learner in self._encoded else self._main
            assert reader is not None, "a bench has a learner before it makes batches"
            augmented = data.augmented(encoded, reader.processor)
        return Loader(encoded, data.task, training, seed=seed, device=self.device, augmented=augmented)

    def load(self, backbone: Backbone | None = None) -> Learner:
        """Load a second learner; see `Bench.load`."""
        seed_all(self.seed, self.stage, 1)
        data = self._stage_data[self.stage]
        learner = self._loaded(backbone or self._backbone, data)
        compute_as(data.training, learner, self.device)
        learner.adopt_head(data.label, learner)
        learner.activate(data.label, data.task)
        if backbone is not None:
            assert data.encode is not None, "this bench has no examples to encode for another backbone"
            self._encoded[learner] = data.encode(backbone, learner.processor)
        return learner

    def _loaded(self, backbone: Backbone, data: StageData) -> Learner:
        learner = backbone.load(data.task.outputs, data.task.answer)
        learner.model.to(self.device)
        return learner

    def load_language_model(self) -> Learner:
        """Load the backbone with its language model's head."""
        seed_all(self.seed, self.stage, 3)
        learner = self._backbone.load_language_model()
        compute_as(self.training, learner, self.device)
        learner.model.to(self.device)
        return learner

    def train(self, learner: Learner, strategy: Strategy, *, loader: Loader | None = None) -> Trace:
        """Run the shared loop; see `Bench.train`."""
        main = learner is self._main
        own = loader is None
        if loader is None:
            loader = self.loader() if main else self.loader(learner=learner, lr=strategy.lr(learner.card))
        if not main or self._sharing is None:
            return self._trained(learner, strategy, loader)
        if strategy.features_stay:
            self._read_features(learner, loader)
        first = strategy.begins_as(self) if own and self.stage == 0 and self.stages > 1 else None
        if first is None:
            return self._trained(learner, strategy, loader)
        return self._begun(learner, strategy, first, loader)

    def _trained(self, learner: Learner, strategy: Strategy, loader: Loader) -> Trace:
        from .loop import fit

        main = learner is self._main
        seed_all(self.seed, self.stage, 2)
        with ExitStack() as warm_up:
            if main:
                warm_up.enter_context(self._phases.phase("warm-up"))

            def after_step(step: int, trace: Trace) -> Sequence[Measurement] | None:
                if step >= WARM_UP:
                    warm_up.close()
                return self._after_step(self, learner, loader, step, trace)

            checkpointer = self._checkpointer(strategy) if main else None
            trace = fit(
                learner, loader, strategy, after_step, self._stage_data[self.stage].label, checkpointer=checkpointer
            )
        if main:
            trace.spared = self._spared
            self._watch.traces.append(trace)
        return trace

    def _checkpointer(self, strategy: Strategy) -> TrainingCheckpointer | None:
        """Return the checkpointer of the main learner's next training; None without checkpoints."""
        if self._checkpoints is None:
            return None
        if not strategy.resumable():
            print(  # noqa: T201 - goes to the trial log
                f"no checkpoints: {type(strategy).__name__} cannot resume from one, and restarts if it is killed"
            )
            return None
        # On a GPU the same steps may give other bits: checkpoints made after a repeated training are then not trusted.
        valid = self.device.type == "cpu" or all(checkpointer.complete for checkpointer in self._checkpointers)
        checkpointer = TrainingCheckpointer(
            self._checkpoints, len(self._checkpointers), lambda: self._phases.phase("checkpoint"), valid=valid
        )
        self._checkpointers.append(checkpointer)
        return checkpointer

    # -- work shared between trials ------------------------------------------------------------------------------------

    def cached(
        self, name: str, key: Any, make: Callable[[], Mapping[str, Tensor]], of: Learner | None = None
    ) -> Mapping[str, Tensor]:
        """Return tensors that trials share; see `Bench.cached`."""
        if self._sharing is None:
            return make()
        weights = None if of is None else [tensors_hash([*of.named_parameters(), *of.named_buffers()]), of.precision]
        whole = {**self._sharing.content(self.stage + 1), "stage": self.stage, "weights": weights, "asked": key}
        with seeds_kept():
            found = self._sharing.get(name, whole, make)
        # Sums depend on memory alignment, and mapped tensors are aligned differently from fresh ones.
        return {name: tensor.clone() for name, tensor in found.items()}

    def lesson(self, strategy: Strategy, backbone: Backbone | None = None) -> dict[str, Any]:
        """Return everything that decides a second training; see `Bench.lesson`."""
        if self._sharing is None:
            return {}
        card = (backbone or self._backbone).card()
        training = asdict(replace(self.training, lr=strategy.lr(card)))
        described: dict[str, Any] = {"training": training, "strategy": self._described(strategy)}
        if backbone is not None:
            described["backbone"] = {**self._described(backbone), "fingerprint": dict(backbone.fingerprint())}
        return described

    def _described(self, part: Any) -> dict[str, Any]:
        cls = type(part)
        return {
            "class": f"{cls.__module__}.{cls.__qualname__}",
            "options": self._catalog.options(part),
            "code": _code(part),
        }

    def teach(self, strategy: Strategy, backbone: Backbone | None = None) -> Learner:
        """Train a second learner, or read what another trial trained; see `Bench.teach`."""
        learner = self.load(backbone)
        strategy.prepare(learner, self)

        trained = False

        def make() -> Mapping[str, Tensor]:
            nonlocal trained
            self.train(learner, strategy)
            trained = True
            return weight_delta(learner)

        found = self.cached("teacher", self.lesson(strategy, backbone), make)
        if not trained:
            load_delta(learner, found)
        return learner

    def _begun(self, learner: Learner, strategy: Strategy, first: Strategy, loader: Loader) -> Trace:
        """Train the first of several tasks as `first` does, or read the result of another trial that did."""
        assert self._sharing is not None
        names = {id(parameter): name for name, parameter in learner.named_parameters()}
        groups = [
            {
                **{name: value for name, value in group.items() if name != "params"},
                "names": [names[id(p)] for p in group["params"]],
            }
            for group in strategy.param_groups(learner)
        ]
        key = {
            **self._sharing.content(1),
            "training": asdict(self.training),
            "strategy": self._described(first),
            "groups": groups,
            "weights": tensors_hash([*learner.named_parameters(), *learner.named_buffers()]),
        }
        made: list[Trace] = []

        def make() -> Mapping[str, Tensor]:
            made.append(self._trained(learner, strategy, loader))
            return {**weight_delta(learner), TRACE: as_tensor(asdict(made[0]))}

        found = self._sharing.get("source", key, make, code=_code(first, self._backbone, self.task))
        if made:
            return made[0]
        load_delta(learner, {name: tensor for name, tensor in found.items() if name != TRACE})
        trace = Trace(**{**from_tensor(found[TRACE]), "task": self._stage_data[0].label, "resumed": []})
        checkpointer = self._checkpointer(strategy)
        if checkpointer is not None:
            # Later trainings keep their indices, and the weights are the same bits as after training.
            checkpointer.complete = True
        self._watch.traces.append(trace)
        return trace

    def _read_features(self, learner: Learner, loader: Loader) -> None:
        """Read the outputs of the learner's frozen part from disk, if that gives the same numbers."""
        training = loader.training
        self._spared = 0.0
        if learner.features is not None:
            learner.features.step_aside()
        if loader.augmented is not None or training.compile or training.gradient_checkpointing:
            self.computes_because = "examples are augmented, or the protocol compiles or computes blocks again"
            return
        from .feature_cache import VERIFIED_BATCHES, Features

        assert self._sharing is not None
        sharing = self._sharing

        def get(key: Any, make: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
            with self._phases.phase("features"):
                return sharing.get("features", key, make)

        size, order = training.batch_size, loader.order(0)
        rows = [
            order[begin : begin + size].tolist() for begin in range(0, min(VERIFIED_BATCHES * size, len(order)), size)
        ]
        try:
            with seeds_kept(), self._phases.phase("features"):
                self._spared = Features(learner, get, training.eval_batch_size).enable(self.task, loader.encoded, rows)
        except NotApplicable as error:
            self.computes_because = str(error)

    # ------------------------------------------------------------------------------------------------------------------

    def predict(self, learner: Learner, split: OpenSplit = "train") -> NDArray[np.float32]:
        """Compute a learner's logits on a split, shape [examples, outputs]; see `Bench.predict`."""
        from .loop import predict

        return np.stack(
            predict(learner, self.task, self.encoded(split, learner=learner), self.training.eval_batch_size).answers
        )

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Charge the time spent inside to a phase of its own."""
        return self._phases.phase(name)

    def strategy(self, use: str, **options: Any) -> Strategy:
        """Build another strategy, to be nested in this one."""
        built: Strategy = self._catalog.build("strategies", use, options)
        return built

    def generator(self, purpose: str) -> np.random.Generator:
        """Return a random generator for `purpose`, seeded by the trial's seed."""
        return np.random.default_rng([self.seed, self.stage, *purpose.encode()])

    def adopt(self, learner: Learner) -> None:
        """Make `learner` the one that is scored."""
        self._main = learner


def _code(*parts: Any) -> str:
    """Return the hash of the code of parts and of those nested in their options."""
    return code_hash([type(found) for part in parts for found in (part, *(inner for _, inner in nested(part)))])
