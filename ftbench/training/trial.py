"""Run one trial in this process: load, prepare, train every stage, score, measure."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.finished_trial import FinishedTrial
from ..api.measurement import MEASURING_VERSION, Measurement, Phase, checked
from ..api.meter import Trace, Watch
from ..api.protocol import goes_by_validation
from ..api.task_kinds import LOSS
from ..environment import environment
from ..errors import Pruned
from ..records.predictions import PREDICTIONS, write_predictions
from ..records.record import Failure
from ..suite.trial import TRAINING_VERSION
from .accounting.configuration import account_once
from .accounting.tuned import trained_parameters, tuned
from .checkpoints import Checkpoints
from .contributions import with_deciding_metric
from .early_stopping import should_prune
from .failures import of_exception
from .messages import PhaseEvents, ProgressEvents
from .phases import Phases
from .trial_outcome import (
    disturbances,
    last_readings,
    partial_outcome,
    primary_of,
    provenance,
    retention,
    scores,
    steps_made,
)
from .trial_setup import TrialSetup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..api.catalog import Catalog
    from ..api.encoded import Encoded
    from ..api.finished_trial import Step
    from ..api.footprint import Accounting
    from ..api.learner import Learner
    from ..api.loader import Loader
    from ..api.meter import Meter
    from ..api.strategy import Strategy
    from ..api.task import Scored
    from .bench import StageData, TrialBench
    from .messages import Emit, Spec
    from .trial_setup import Loaded


def carry_out(spec: Spec, catalog: Catalog, folder: Path, emit: Emit, began: float | None = None) -> dict[str, Any]:
    """Run a trial; every exception becomes the trial's failure.

    Args:
        spec: the trial and where to run it.
        catalog: what the plugins offer.
        folder: where predictions are written.
        emit: receives progress events.
        began: when the trial's process started, by `time.monotonic()`; by default now.

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
            # The frames refer to the tensors that filled the memory, and the code below needs some memory.
            traceback.clear_frames(error.__traceback__)
        text = None if status in ("not-applicable", "diverged", "skipped") else traceback.format_exc()
        failure = Failure(ending.kind, ending.message, text)
    if execution is not None:
        if status not in ("ok", "not-applicable"):
            found["measurements"] = [asdict(m) for m in last_readings(execution.meters)]
        watch, stages = execution.watch, execution.stages
        found = {**partial_outcome(watch, spec.trial, stages), **found, "disturbances": disturbances(watch.traces)}
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
    # Last of all, so that the phases cover the whole time.
    ended = time.monotonic()
    found["phases"] = [
        asdict(phase) for phase in (execution.phases.list(ended) if execution else [Phase("start", ended - began)])
    ]
    return {"status": status, "failure": asdict(failure) if failure else None, "began": began, "ended": ended, **found}


class Execution:
    """One run of a trial."""

    def __init__(self, spec: Spec, catalog: Catalog, emit: Emit, began: float | None = None) -> None:
        import torch

        self.spec, self.trial, self.catalog = spec, spec.trial, catalog
        self.device = torch.device(spec.device)
        torch.set_num_threads(self.trial.threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set at run time
        torch.backends.cuda.matmul.allow_tf32 = False
        self.watch = Watch(spec.device, os.getpid(), profile=self.trial.profile, probing=self.trial.probe)
        built: list[Meter] = [catalog.build("meters", name, {}) for name in self.trial.meters]
        self.meters = [meter for meter in built if meter.where == "trial"]
        self.phases = Phases(self.watch, [*self.meters, PhaseEvents(emit)], self._synchronise, began)
        self.checkpoints: Checkpoints | None = None
        if spec.checkpoint is not None and spec.checkpoints:
            self.checkpoints = Checkpoints(Path(spec.checkpoints), spec.checkpoint, self.trial.id)
        self.progress = ProgressEvents(emit)
        # A tuning trial never reads the test split.
        self.scored_split = "validation" if self.trial.role == "try" else "test"
        self.setup = TrialSetup(spec, catalog, self.device, self.scored_split, self.progress.heartbeat)
        self.stages: list[StageData] = []
        self.bench: TrialBench | None = None

    def _synchronise(self) -> None:
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)

    def run(self, folder: Path) -> dict[str, Any]:
        """Load, train and score; write predictions to `folder`. Return the fields of the record that are known."""
        for meter in self.meters:
            meter.start(self.watch)
        with self.phases.phase("load"):
            loaded, bench = self.load()
        strategy: Strategy = self.catalog.build("strategies", self.trial.strategy.use, self.trial.strategy.options)
        matrix, scored = self._train_stages(strategy, loaded, bench)
        if loaded.learner.features is not None:
            loaded.learner.features.step_aside()
        with self.phases.phase("save"):
            write_predictions(folder / PREDICTIONS, scored, {stage.label: stage.task for stage in self.stages})
        with self.phases.phase("probe"):
            finished = self._finished(loaded)
            for meter in self.meters:
                meter.examine(finished)
        is_sequence = self.trial.is_sequence
        measurements = [
            *scores(scored, matrix, self.stages, is_sequence=is_sequence),
            *steps_made(self.watch.traces, self.stages, is_sequence=is_sequence),
        ]
        for meter in self.meters:
            measurements.extend(meter.stop())
        return {
            "measurements": [
                asdict(replace(m, scope=self.scored_split) if m.scope == "test" else m) for m in checked(measurements)
            ],
            "confusion": {label: s.confusion for label, s in scored.items() if s.confusion is not None},
            "retention": retention(matrix, self.stages) if is_sequence else None,
        }

    def load(self) -> tuple[Loaded, TrialBench]:
        """Load the model and the data and build the bench."""
        loaded = self.setup.load()
        self.watch.learner, self.stages = loaded.learner, loaded.stages
        self.bench = bench = self.setup.build_bench(
            loaded, self.phases, self.watch, after_step=self._after_step, checkpoints=self.checkpoints
        )
        self.progress.steps = [bench.loader(stage=number).steps for number in range(bench.stages)]
        return loaded, bench

    def _train_stages(
        self, strategy: Strategy, loaded: Loaded, bench: TrialBench
    ) -> tuple[list[list[float | None]], dict[str, Scored]]:
        """Train the stages one after another, and score all tasks seen so far after each.

        Returns:
            The primary metric, row i after stage i, None for tasks not seen yet; and task label → scores after the last
            stage.
        """
        learner = loaded.learner
        matrix: list[list[float | None]] = []
        scored: dict[str, Scored] = {}
        with self.phases.phase("prepare"):
            strategy.prepare(learner, bench)
        for number, stage in enumerate(self.stages):
            bench.stage = number
            learner.activate(stage.label, stage.task)
            with self.phases.phase("train"):
                strategy.fit(learner, bench)
            trace = next((trace for trace in reversed(self.watch.traces) if trace.task == stage.label), None)
            if trace is not None and len(trace.losses) < trace.planned:
                self.progress.end_stage(number, len(trace.losses), trace.task_losses)
            if number + 1 == len(self.stages):
                with self.phases.phase("finish"):
                    self.watch.tuned = tuned(learner, strategy, trained_parameters(learner, self.watch.traces))
                    self.finish(strategy, learner)
            else:
                with self.phases.phase("end-stage"):
                    strategy.end_stage(learner, bench)
            seen = self.stages[: number + 1]
            with self.phases.phase("evaluate"):
                for one in seen:
                    scored[one.label] = _score(learner, one, loaded.scored[one.label])
            row = [primary_of(scored[one.label], one).value for one in seen]
            matrix.append(row + [None] * (len(self.stages) - len(row)))
        return matrix, scored

    def finish(self, strategy: Strategy, learner: Learner) -> None:
        """Bring the model into the form in which it will be used."""
        strategy.finish(learner)

    def _after_step(
        self, bench: TrialBench, learner: Learner, loader: Loader, step: int, trace: Trace
    ) -> Sequence[Measurement]:
        """Score the validation split if that is due, and report progress to the runner."""
        main = learner is self.watch.learner
        found: Sequence[Measurement] = ()
        if main or goes_by_validation(loader.training):
            found = self._validate(bench, learner, loader, step, trace)
        if main:
            self.progress.step(bench.stage, step, trace.task_losses)
        else:
            self.progress.heartbeat()
        return found

    def _validate(
        self, bench: TrialBench, learner: Learner, loader: Loader, step: int, trace: Trace
    ) -> Sequence[Measurement]:
        """Score the validation split if that is due after `step` steps; return nothing otherwise.

        Raises:
            Pruned: this is a tuning trial that falls behind earlier ones.
        """
        stage, times = self.stages[bench.stage], loader.training.validations
        due = times and (step * times) // loader.steps > ((step - 1) * times) // loader.steps
        if not due or "validation" not in stage.open or loader.task is not stage.task:
            return ()
        with self.phases.phase("validate"):
            scored = _score(learner, stage, bench.encoded("validation", learner=learner))
        learner.train()
        point = {m.name: m.value for m in scored.measurements if m.value is not None}
        trace.validation.append({"step": float(step), **point})
        if learner is self.watch.learner and (behind := should_prune(self.trial.bars, stage.primary, trace.validation)):
            self.watch.traces.append(trace)
            raise Pruned(behind)
        return scored.measurements

    def _finished(self, loaded: Loaded) -> FinishedTrial:
        def train_again(take: Callable[[Iterator[Step]], None]) -> None:
            from .accounting.throughput_probe import ThroughputProbe

            trial = self.trial
            backbone = self.catalog.build("backbones", trial.backbone.use, trial.backbone.options)
            strategy = self.catalog.build("strategies", trial.strategy.use, trial.strategy.options)
            probe = ThroughputProbe(self.stages, backbone, self.catalog, take, seed=trial.seed, device=self.spec.device)
            probe.run(strategy)

        def synchronise() -> None:
            self._synchronise()
            self.progress.heartbeat()

        last = self.stages[-1]
        return FinishedTrial(
            loaded.learner, last.task, loaded.scored[last.label], train_again, synchronise, account=self._account
        )

    def _account(self) -> Accounting:
        with self.phases.phase("accounting"):
            seen = [stage.open["train"] for stage in self.stages]
            return account_once(self.trial, self.catalog, Path(self.spec.cache), seen)

    def provenance(self) -> dict[str, Any]:
        """Return the sources of the data and weights that were loaded."""
        reason = self.bench.computes_because if self.bench else ""
        return provenance(self.trial, self.watch, self.stages, self.setup.split_hashes, reason)


def _score(learner: Learner, stage: StageData, encoded: Encoded) -> Scored:
    """Score a learner on a split of a stage, by the task's own scores, its mean loss and the deciding metric.

    Raises:
        UserError: the task has no score of the name that the suite gives for the deciding metric.
    """
    from .loop import predict

    learner.activate(stage.label, stage.task)
    predicted = predict(learner, stage.task, encoded, stage.training.eval_batch_size)
    scored = stage.task.score(predicted.answers, encoded)
    if all(m.name != LOSS for m in scored.measurements):
        loss = Measurement(
            LOSS, predicted.loss, stage.task.loss_unit, "lower", method="the task's mean loss", scope="test"
        )
        scored = replace(scored, measurements=(*scored.measurements, loss))
    return with_deciding_metric(scored, stage.task, stage.metric) if stage.metric else scored
