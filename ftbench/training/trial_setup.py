"""Set up a trial: check that its data, weights and code are as planned, load model and data, build the bench."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.augmentation import Augmentable, prepare_augmentations
from ..api.protocol import Training, goes_by_validation
from ..api.task_kinds import ClassificationTask, unused_settings
from ..cache import Cache
from ..data.augmented import Augmented
from ..data.encoding import Prepared, prepare_data
from ..errors import Changed, NotApplicable
from .bench import StageData, TrialBench
from .compute import compute_as
from .seeding import seed_all
from .shared_work import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from ..api.backbone import Backbone
    from ..api.catalog import Catalog
    from ..api.encoded import Encoded
    from ..api.learner import Learner
    from ..api.loader import Loader
    from ..api.measurement import Measurement
    from ..api.meter import Trace, Watch
    from ..api.task import Task
    from ..suite.trial import Part
    from .checkpoints import Checkpoints
    from .messages import Spec
    from .phases import Phases


@dataclass(frozen=True)
class Loaded:
    """What a trial trains and scores."""

    backbone: Backbone
    learner: Learner
    """On the trial's device, with a head for every task; the head of the first task is active."""
    stages: list[StageData]
    scored: dict[str, Encoded]
    """Task label → the split that the trial's scores come from."""


class TrialSetup:
    """Loads the model and the data of a trial.

    Args:
        spec: the trial and where to run it.
        catalog: what the plugins offer.
        device: the device the learner is moved to.
        scored_split: the split that the trial's scores come from; if it is `validation`, the test split is never read.
        heartbeat: called now and then while work goes on or another process does it.
    """

    def __init__(
        self, spec: Spec, catalog: Catalog, device: torch.device, scored_split: str, heartbeat: Callable[[], None]
    ) -> None:
        self._spec, self._trial, self._catalog = spec, spec.trial, catalog
        self._device, self._scored_split, self._heartbeat = device, scored_split, heartbeat
        self.split_hashes: dict[str, str] = {}
        """Task label → hash of its splits; filled while loading, so it is partial if loading fails."""

    def load(self) -> Loaded:
        """Load the learner and the encoded splits of every stage.

        Raises:
            Changed: data, weights or code are not as planned.
            NotApplicable: the backbone or a task cannot follow the protocol.
        """
        trial = self._trial
        backbone: Backbone = self._catalog.build("backbones", trial.backbone.use, trial.backbone.options)
        tasks = [self._catalog.build("tasks", s.task.use, s.task.options) for s in trial.stages]
        verify_unchanged(trial.backbone, backbone)
        for stage, task in zip(trial.stages, tasks, strict=True):
            verify_unchanged(stage.task, task)
        learner, stages, scored = None, [], {}
        for number, (stage, task) in enumerate(zip(trial.stages, tasks, strict=True)):
            seed_all(trial.seed, number)
            donor = backbone.load(task.outputs, task.answer)
            training = Training(**stage.training)
            compute_as(training, donor, self._device)
            learner = learner or donor
            learner.adopt_head(stage.task.label, donor)
            data = self._prepare_data(task, backbone, learner.processor)
            self.split_hashes[stage.task.label] = data.split_hash
            apply_protocol(task, training, data.encoded, self._scored_split)
            task.examine_training(data.encoded["train"], learner)
            augmented = self._augmented(task, data, learner.processor)
            encode = partial(self._encode, task)
            stages.append(StageData(stage.task.label, task, training, _visible(data), encode, augmented, stage.metric))
            scored[stage.task.label] = data.encoded[self._scored_split]
        assert learner is not None
        for modules in learner.heads.values():
            for module in modules.values():
                module.to(self._device)
        learner.model.to(self._device)
        learner.activate(stages[0].label, stages[0].task)
        return Loaded(backbone, learner, stages, scored)

    def build_bench(
        self,
        loaded: Loaded,
        phases: Phases,
        watch: Watch,
        *,
        after_step: Callable[[TrialBench, Learner, Loader, int, Trace], Sequence[Measurement] | None],
        checkpoints: Checkpoints | None,
    ) -> TrialBench:
        """Build the bench that the strategy gets, with the loaded learner as its main one."""
        sharing = Sharing(
            self._trial,
            self._spec.device,
            Cache(Path(self._spec.cache)),
            phases=phases,
            used=watch.shared,
            heartbeat=self._heartbeat,
        )
        bench = TrialBench(
            loaded.stages,
            loaded.backbone,
            self._catalog,
            phases,
            watch,
            seed=self._trial.seed,
            device=self._device,
            after_step=after_step,
            checkpoints=checkpoints,
            sharing=sharing,
        )
        bench.adopt(loaded.learner)
        return bench

    def _prepare_data(self, task: Task, backbone: Backbone, processor: Any) -> Prepared:
        test = ("test",) if self._scored_split == "test" else ()
        return prepare_data(
            task,
            backbone,
            processor,
            split_seed=self._trial.split_seed,
            cache=Path(self._spec.cache),
            options=self._catalog.options,
            waiting=self._heartbeat,
            names=("train", "validation", *test),
        )

    def _augmented(self, task: Task, data: Prepared, processor: Any) -> Callable[[Encoded, Any], Augmented] | None:
        """Prepare the task's augmentations and return what applies them to the training split; None if it has none."""
        if not isinstance(task, Augmentable) or not task.augment:
            return None
        examples = data.examples()
        prepare_augmentations(task, examples, processor, self._heartbeat)
        return partial(Augmented, task, examples)

    def _encode(self, task: Task, backbone: Backbone, processor: Any) -> Mapping[str, Encoded]:
        """Encode the splits that a strategy may see with the processor of a second backbone."""
        return _visible(self._prepare_data(task, backbone, processor))


def _visible(data: Prepared) -> dict[str, Encoded]:
    """Return the splits that a strategy may see: all but the test split."""
    return {name: split for name, split in data.encoded.items() if name != "test"}


def apply_protocol(task: Task, training: Training, data: Mapping[str, Encoded], scored_split: str = "test") -> None:
    """Configure the task's loss as the protocol asks.

    Raises:
        NotApplicable: the protocol asks for what only a classification has, or needs a split that the task lacks.
    """
    if scored_split not in data:
        raise NotApplicable(f"values are chosen on a {scored_split} split, and the task has none")
    if goes_by_validation(training) and "validation" not in data:
        raise NotApplicable(
            "plateau, early stopping and the best weights need a validation split, and the task has none"
        )
    if isinstance(task, ClassificationTask):
        task.train_as(training, np.asarray(data["train"].labels))
    elif unused := unused_settings(task, training):
        raise NotApplicable(f"{' and '.join(unused)}: for classifications only")


def verify_unchanged(part: Part, built: Backbone | Task) -> None:
    """Compare a part of a trial, as it was planned, with what is on this machine now.

    Raises:
        Changed: something was changed since the trial was planned.
    """
    now = dict(built.fingerprint())
    # A plan may know more of a task than the task itself, such as the files of its augmentations.
    different = sorted(key for key, value in now.items() if part.fingerprint.get(key) != value)
    if different:
        raise Changed(
            f"{part.label}: changed since the trial was planned ({', '.join(different)}); "
            "run the same command again to plan trials from the current files"
        )
