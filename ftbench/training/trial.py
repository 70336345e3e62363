"""Carry out one trial in this process: load, prepare, train every stage, score, measure."""

from __future__ import annotations

import os
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.augmentable import Augmentable, prepare_augmentations
from ..api.finished_trial import FinishedTrial
from ..api.measurement import MEASURING_VERSION, Measurement, Phase, checked
from ..api.meter import Trace, Watch
from ..api.protocol import Training, goes_by_validation
from ..cache import Cache
from ..data.augmented import Augmented
from ..data.encoding import Prepared, prepare_data
from ..environment import environment
from ..errors import Pruned
from ..records.predictions import PREDICTIONS, write_predictions
from ..records.record import Failure, Retention
from ..suite.trial import TRAINING_VERSION
from .accounting.configuration import account_once
from .bench import Bench, StageData
from .checkpoints import Checkpoints
from .compute import compute_as
from .early_stopping import should_prune
from .failures import of_exception
from .messages import PhaseEvents, Signs
from .phases import Phases
from .seeding import seed_all
from .shared_work import Sharing
from .trial_outcome import curve_of, sequence_measurements
from .trial_setup import follow, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.encoded import Encoded
    from ..api.finished_trial import Step
    from ..api.footprint import Accounting
    from ..api.learner import Learner
    from ..api.meter import Meter
    from ..api.strategy import Strategy
    from ..api.task import Scored, Task
    from ..data.loader import Loader
    from .messages import Emit, Spec


def carry_out(spec: Spec, catalog: Catalog, folder: Path, emit: Emit, began: float | None = None) -> dict[str, Any]:
    """Carry out a trial; every exception becomes the trial's failure.

    Args:
        spec: the trial and where to run it.
        catalog: what the plugins offer.
        folder: where predictions are written.
        emit: receives progress events.
        began: when the trial's process did, by `time.monotonic()`; by default now.

    Returns:
        The fields of the record that this process knows, as JSON values, and `began` and `ended` by `time.monotonic()`.
    """
    started, began = time.time(), time.monotonic() if began is None else began
    execution: Execution | None = None
    try:
        execution = Execution(spec, catalog, emit, began)
        found = execution.run(folder)
        status, failure = "ok", None
    except Exception as error:  # noqa: BLE001 - the one place around a trial: its failure is a record
        ending = of_exception(error)
        found, status = {}, ending.status
        if status == "oom":
            # What the frames hold is what took the memory, and the rest of this needs some.
            traceback.clear_frames(error.__traceback__)
        told = None if status in ("not-applicable", "diverged", "skipped") else traceback.format_exc()
        failure = Failure(ending.kind, ending.message, told)
    if execution is not None:
        if status not in ("ok", "not-applicable"):
            found["measurements"] = [asdict(m) for m in execution.last_readings()]
        found = {**execution.partial(), **found, "disturbances": execution.disturbances()}
    found["provenance"] = {
        **(execution.provenance() if execution else {}),
        **environment(spec.device),
        "harness": {
            "version": metadata.version("ftbench"),
            "training": TRAINING_VERSION,
            "measuring": MEASURING_VERSION,
        },
        "started": started,
        "finished": time.time(),
    }
    # Last of all, so that they are of the whole time.
    ended = time.monotonic()
    found["phases"] = [
        asdict(phase) for phase in (execution.phases.list(ended) if execution else [Phase("start", ended - began)])
    ]
    return {"status": status, "failure": asdict(failure) if failure else None, "began": began, "ended": ended, **found}


class Execution:
    """One trial under way."""

    def __init__(self, spec: Spec, catalog: Catalog, emit: Emit, began: float | None = None) -> None:
        import torch

        self.spec, self.trial, self.catalog = spec, spec.trial, catalog
        self.device = torch.device(spec.device)
        torch.set_num_threads(self.trial.threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # it has: torch sets it at run time
        torch.backends.cuda.matmul.allow_tf32 = False
        self.watch = Watch(spec.device, os.getpid(), profile=self.trial.profile, probing=self.trial.probe)
        built: list[Meter] = [catalog.build("meters", name, {}) for name in self.trial.meters]
        self.meters = [meter for meter in built if meter.where == "trial"]
        self.phases = Phases(self.watch, [*self.meters, PhaseEvents(emit)], self._synchronise, began)
        kept = spec.checkpoint is not None and spec.checkpoints
        self.checkpoints = Checkpoints(Path(spec.checkpoints), spec.checkpoint or 0.0, self.trial.id) if kept else None
        self.split_hashes: dict[str, str] = {}
        self.scored = "validation" if self.trial.role == "try" else "test"  # a try never reads the other
        self.signs = Signs(emit)

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)

    # -- the path of a trial -----------------------------------------------------------------------------------------------

    def run(self, folder: Path) -> dict[str, Any]:
        """Load, train, score; predictions are written to `folder`. Gives the fields of the record that are known then."""
        for meter in self.meters:
            meter.start(self.watch)
        with self.phases.phase("load"):
            learner, tests, bench = self._load()
        strategy: Strategy = self.catalog.build("strategies", self.trial.strategy.use, self.trial.strategy.options)
        matrix, scored = self._stages(strategy, learner, tests, bench)
        if learner.features is not None:
            learner.features.step_aside()
        with self.phases.phase("save"):
            write_predictions(folder / PREDICTIONS, scored, {g.label: g.task for g in self.grounds})
        with self.phases.phase("probe"):
            finished = self._finished(learner, tests)
            for meter in self.meters:
                meter.examine(finished)
        measurements = [*self._scores(scored, matrix), *self._steps_made()]
        for meter in self.meters:
            measurements.extend(meter.stop())
        return {
            "measurements": [
                asdict(replace(m, scope=self.scored) if m.scope == "test" else m) for m in checked(measurements)
            ],
            "confusion": {label: s.confusion for label, s in scored.items() if s.confusion is not None},
            "retention": self._retention(matrix),
        }

    def _load(self) -> tuple[Learner, dict[str, Encoded], Bench]:
        backbone: Backbone = self.catalog.build("backbones", self.trial.backbone.use, self.trial.backbone.options)
        tasks = [self.catalog.build("tasks", s.task.use, s.task.options) for s in self.trial.stages]
        verify(self.trial.backbone, backbone)
        for stage, task in zip(self.trial.stages, tasks, strict=True):
            verify(stage.task, task)
        learner, grounds, tests = None, [], {}
        for number, (stage, task) in enumerate(zip(self.trial.stages, tasks, strict=True)):
            seed_all(self.trial.seed, number)
            donor = backbone.load(task.outputs, task.answer)
            training = Training(**stage.training)
            compute_as(training, donor, self.device)
            learner = learner or donor
            learner.adopt_head(stage.task.label, donor)
            data = self._prepare_data(task, backbone, learner.processor)
            self.split_hashes[stage.task.label] = data.split_hash
            encode = partial(self._encode, task)
            follow(task, training, data.encoded, self.scored)
            augmented = self._augmented(task, data, learner.processor)
            grounds.append(StageData(stage.task.label, task, training, _visible(data), encode, augmented))
            tests[stage.task.label] = data.encoded[self.scored]
        assert learner is not None
        for modules in learner.heads.values():
            for module in modules.values():
                module.to(self.device)
        learner.model.to(self.device)
        learner.activate(grounds[0].label, grounds[0].task)
        self.watch.learner = learner
        self.grounds = grounds
        sharing = Sharing(
            self.trial,
            self.spec.device,
            Cache(Path(self.spec.cache)),
            phases=self.phases,
            used=self.watch.shared,
            sign=self.signs.working,
        )
        self.bench = bench = Bench(
            grounds,
            backbone,
            self.catalog,
            self.phases,
            self.watch,
            seed=self.trial.seed,
            device=self.device,
            after_step=self._after_step,
            checkpoints=self.checkpoints,
            sharing=sharing,
        )
        bench.adopt(learner)
        self.signs.steps = [bench.loader(stage=number).steps for number in range(bench.stages)]
        return learner, tests, bench

    def _prepare_data(self, task: Task, backbone: Backbone, processor: Any) -> Prepared:
        cache, seed = Path(self.spec.cache), self.trial.split_seed
        names = ("train", "validation", "test") if self.scored == "test" else ("train", "validation")
        return prepare_data(
            task,
            backbone,
            processor,
            split_seed=seed,
            cache=cache,
            options=self.catalog.options,
            waiting=self.signs.working,
            names=names,
        )

    def _augmented(self, task: Task, data: Prepared, processor: Any) -> Callable[[Encoded, Any], Augmented] | None:
        """Let the augmentations prepare, and give what changes the training split; None where a task has none."""
        if not isinstance(task, Augmentable) or not task.augment:
            return None
        examples = data.examples()
        prepare_augmentations(task, examples, processor, self.signs.working)
        return partial(Augmented, task, examples)

    def _encode(self, task: Task, backbone: Backbone, processor: Any) -> Mapping[str, Encoded]:
        """Encode what a strategy may see with the processor of a second backbone."""
        return _visible(self._prepare_data(task, backbone, processor))

    def _stages(
        self, strategy: Strategy, learner: Learner, tests: Mapping[str, Encoded], bench: Bench
    ) -> tuple[list[list[float | None]], dict[str, Scored]]:
        matrix: list[list[float | None]] = []
        scored: dict[str, Scored] = {}
        with self.phases.phase("prepare"):
            strategy.prepare(learner, bench)
        for number, ground in enumerate(self.grounds):
            bench.stage = number
            learner.activate(ground.label, ground.task)
            with self.phases.phase("train"):
                strategy.fit(learner, bench)
            trace = next((trace for trace in reversed(self.watch.traces) if trace.task == ground.label), None)
            if trace is not None and len(trace.losses) < trace.planned:
                self.signs.end(number, len(trace.losses), trace.task_losses)
            last = number + 1 == len(self.grounds)
            if last:
                with self.phases.phase("finish"):
                    self.finish(strategy, learner)
            else:
                with self.phases.phase("end-stage"):
                    strategy.end_stage(learner, bench)
            with self.phases.phase("evaluate"):
                for seen in self.grounds[: number + 1]:
                    scored[seen.label] = self._score(learner, seen, tests[seen.label])
            row = [_primary(scored[seen.label], seen.task.primary).value for seen in self.grounds[: number + 1]]
            matrix.append(row + [None] * (len(self.grounds) - len(row)))
        return matrix, scored

    def finish(self, strategy: Strategy, learner: Learner) -> None:
        """Leave the model as it will be used."""
        strategy.finish(learner)

    def _score(self, learner: Learner, ground: StageData, encoded: Encoded) -> Scored:
        from .loop import predict

        learner.activate(ground.label, ground.task)
        predicted = predict(learner, ground.task, encoded, ground.training.eval_batch_size)
        scored = ground.task.score(predicted.answers, encoded)
        if any(m.name == "loss" for m in scored.measurements):
            return scored
        loss = Measurement(
            "loss", predicted.loss, ground.task.loss_unit, "lower", method="the task's mean loss", scope="test"
        )
        return replace(scored, measurements=(*scored.measurements, loss))

    def _after_step(
        self, bench: Bench, learner: Learner, loader: Loader, step: int, trace: Trace
    ) -> Sequence[Measurement]:
        """Score the validation split where it is time for it, and tell the runner how far the training is."""
        main = learner is self.watch.learner
        scores: Sequence[Measurement] = ()
        if main or goes_by_validation(loader.training):
            scores = self._validate(bench, learner, loader, step, trace)
        if main:
            self.signs.step(bench.stage, step, trace.task_losses)
        else:
            self.signs.working()
        return scores

    def _validate(
        self, bench: Bench, learner: Learner, loader: Loader, step: int, trace: Trace
    ) -> Sequence[Measurement]:
        ground, times = self.grounds[bench.stage], loader.training.validations
        due = times and (step * times) // loader.steps > ((step - 1) * times) // loader.steps
        if not due or "validation" not in ground.open or loader.task is not ground.task:
            return ()
        with self.phases.phase("validate"):
            scored = self._score(learner, ground, bench.encoded("validation", learner=learner))
        learner.train()
        point = {m.name: m.value for m in scored.measurements if m.value is not None}
        trace.validation.append({"step": float(step), **point})
        if learner is self.watch.learner and (
            behind := should_prune(self.trial.bars, ground.task.primary, trace.validation)
        ):
            self.watch.traces.append(trace)
            raise Pruned(behind)
        return scored.measurements

    def _finished(self, learner: Learner, tests: Mapping[str, Encoded]) -> FinishedTrial:
        def rehearse(take: Callable[[Iterator[Step]], None]) -> None:
            from .accounting.throughput_probe import ThroughputProbe

            trial = self.trial
            backbone = self.catalog.build("backbones", trial.backbone.use, trial.backbone.options)
            strategy = self.catalog.build("strategies", trial.strategy.use, trial.strategy.options)
            ThroughputProbe(self.grounds, backbone, self.catalog, take, seed=trial.seed, device=self.spec.device).run(
                strategy
            )

        ground = self.grounds[-1]

        def synchronise() -> None:
            self._synchronise()
            self.signs.working()

        return FinishedTrial(learner, ground.task, tests[ground.label], rehearse, synchronise, account=self._account)

    def _account(self) -> Accounting:
        with self.phases.phase("accounting"):
            return account_once(
                self.trial, self.catalog, Path(self.spec.cache), [ground.open["train"] for ground in self.grounds]
            )

    # -- what is left ------------------------------------------------------------------------------------------------------

    def _scores(self, scored: Mapping[str, Scored], matrix: list[list[float | None]]) -> list[Measurement]:
        if not self.trial.is_sequence:
            return list(next(iter(scored.values())).measurements)
        found = [replace(m, task=label) for label, s in scored.items() for m in s.measurements]
        return found + sequence_measurements(
            matrix, _primary(scored[self.grounds[0].label], self.grounds[0].task.primary)
        )

    def _steps_made(self) -> list[Measurement]:
        """Count the steps of each stage that could have stopped early."""
        stopping = {ground.label for ground in self.grounds if ground.training.early_stopping}
        return [
            Measurement(
                "training_steps",
                float(len(trace.losses)),
                "steps",
                method=f"steps made of {trace.planned} planned",
                scope="train",
                task=trace.task if self.trial.is_sequence else "",
            )
            for trace in self.watch.traces
            if trace.task in stopping
        ]

    def _retention(self, matrix: list[list[float | None]]) -> dict[str, Any] | None:
        if not self.trial.is_sequence:
            return None
        return asdict(Retention(tuple(g.label for g in self.grounds), tuple(tuple(row) for row in matrix)))

    def partial(self) -> dict[str, Any]:
        """Give what is known even of a trial that failed."""
        grounds = getattr(self, "grounds", [])
        return {
            "shared": [asdict(shared) for shared in self.watch.shared],
            "curves": [asdict(curve_of(trace, self.trial)) for trace in self.watch.traces],
            "classes": {ground.label: ground.task.classes for ground in grounds},
        }

    def disturbances(self) -> list[str]:
        """Say where a training went on from a checkpoint: what was measured of time, rate and energy is of the last stretch, or a sum."""
        return [
            f"resumed after step {trace.resumed[-1]} of {trace.task}" for trace in self.watch.traces if trace.resumed
        ]

    def last_readings(self) -> list[Measurement]:
        """Give what the meters of a trial that failed can still tell: such as the peak at which memory ran out."""
        found: list[Measurement] = []
        for meter in self.meters:
            # A meter may have been cut short anywhere; the failure that matters is the trial's.
            with suppress(Exception):
                found.extend(checked(meter.stop()))
        return found

    def provenance(self) -> dict[str, Any]:
        """Tell where data and weights come from, by the splits and orders that were really used."""
        grounds = getattr(self, "grounds", [])
        card = self.watch.learner.card if self.watch.learner else None
        return {
            "splits": self.split_hashes,
            "resumed": {trace.task: trace.resumed for trace in self.watch.traces if trace.resumed},
            "orders": {trace.task: trace.order_hash for trace in self.watch.traces},
            "backbone": {"licence": card.licence, "source": card.source, "note": card.note} if card else None,
            "data": {ground.label: asdict(ground.task.provenance()) for ground in grounds},
            "threads": self.trial.threads,
            **({"features": self.bench.computes_because} if grounds and self.bench.computes_because else {}),
            **({"tuning": dict(self.trial.choice)} if self.trial.choice else {}),
        }


def _visible(data: Prepared) -> dict[str, Encoded]:
    """Leave the test split out."""
    return {name: split for name, split in data.encoded.items() if name != "test"}


def _primary(scored: Scored, name: str) -> Measurement:
    return next(m for m in scored.measurements if m.name == name)
