"""Plan a suite: expand it into trials, and report all mistakes at once."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.augmentation import augmentation_mistakes, augmentations
from ..api.backbone import Backbone
from ..api.card import OUTPUT_TYPES
from ..api.catalog import nested
from ..api.task_kinds import OF_CLASSES, class_mistake, unused_settings
from ..errors import NotApplicable, NotCached, SuiteError, UserError
from ..fingerprint import code_hash
from .suite import task_training
from .trial import Part, Stage, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..api.card import ModelCard
    from ..api.catalog import Catalog
    from ..api.strategy import Strategy
    from ..api.task import Task
    from .suite import BackboneChoice, StrategyChoice, Suite, TaskChoice

MAX_TRIALS = 100_000
"""Largest number of trials of a suite."""


@dataclass(frozen=True)
class _TaskColumn:
    """A task column of the page: a single task, or a sequence."""

    label: str
    tasks: tuple[TaskChoice, ...]
    backbones: tuple[str, ...] | None
    strategies: tuple[str, ...] | None
    key_path: str


@dataclass(frozen=True)
class Foreseen:
    """The plan of a suite that is known before downloads."""

    trials: list[Trial]
    """Trials that are fully known."""
    unknown: tuple[str, ...] = ()
    """One line for each model or data set that is not downloaded yet."""


def plan(suite: Suite, catalog: Catalog, device: str = "cpu") -> list[Trial]:
    """Expand a suite into trials, seed by seed, so that an interrupted run has complete comparisons.

    Raises:
        SuiteError: a file named by an option is missing, a task has no backbone, or a strategy or task has no
            configuration.
    """
    foreseen = foresee(suite, catalog, device)
    if foreseen.unknown:
        raise SuiteError(*(f"{suite.source}: {line}" for line in foreseen.unknown))
    return foreseen.trials


def foresee(suite: Suite, catalog: Catalog, device: str = "cpu", *, outlines: bool = False) -> Foreseen:
    """Plan what is known before downloads; if the suite has `online = true`, missing models and data are not mistakes.

    Args:
        suite: the suite.
        catalog: builds the plugins.
        device: where the trials will run, such as `cuda:0`.
        outlines: plan without looking for weights; the trial ids then differ from those of trials that run.

    Raises:
        SuiteError: as for `plan`.
    """
    planner = _Planner(suite, catalog, device, outlines=outlines)
    return Foreseen(planner.trials(), tuple(planner.unknown))


class _Planner:
    """Expands one suite and collects mistakes."""

    def __init__(self, suite: Suite, catalog: Catalog, device: str, *, outlines: bool = False) -> None:
        self.suite, self.catalog, self.device, self.outlines = suite, catalog, device, outlines
        self.mistakes: list[str] = []
        self.unknown: list[str] = []
        self.backbones: dict[str, tuple[Backbone, Part, ModelCard]] = {}
        self.tasks: dict[str, tuple[Task, Part]] = {}
        self.strategies: dict[str, tuple[Strategy, Part]] = {}
        self.codes: dict[tuple[type, ...], str] = {}
        self.modules: dict[str, tuple[str, list[str]] | None] = {}
        self.protocols: dict[str, dict[str, Any]] = {}

    def trials(self) -> list[Trial]:
        self._describe()
        self._raise_mistakes()
        configurations = list(itertools.islice(self._configurations(), MAX_TRIALS + 1))
        if len(configurations) * len(self.suite.seeds) > MAX_TRIALS:
            self.mistakes.append(f"has more than {MAX_TRIALS:,} trials; remove strategies, tasks or seeds")
        self._raise_mistakes()
        self._check_applicable(configurations)
        self._raise_mistakes()
        return [
            self._trial(*configuration, index)
            for index in range(len(self.suite.seeds))
            for configuration in configurations
        ]

    def _raise_mistakes(self) -> None:
        if self.mistakes:
            raise SuiteError(*(f"{self.suite.source}: {mistake}" for mistake in dict.fromkeys(self.mistakes)))

    def _describe(self) -> None:
        for number, choice in enumerate(self.suite.backbones, 1):
            with self._collecting(f"backbone[{number}]"):
                backbone = self.catalog.build("backbones", choice.use, choice.options)
                content = {} if self.outlines else dict(backbone.fingerprint())
                part = Part(choice.use, choice.label, self.catalog.options(backbone), content)
                self.backbones[choice.label] = (
                    backbone,
                    part,
                    backbone.outline_card() if self.outlines else backbone.card(),
                )
        for number, task_choice in enumerate(self.suite.tasks, 1):
            with self._collecting(f"task[{number}]"):
                task = self.catalog.build("tasks", task_choice.use, task_choice.options)
                options = self.catalog.options(task)
                part = Part(
                    task_choice.use,
                    task_choice.label,
                    options,
                    {**task.fingerprint(), **self._augmented(task, options)},
                )
                self.tasks[task_choice.label] = (task, part)
                if mistake := class_mistake(task, task_choice.metric):
                    self.mistakes.append(f"task[{number}].metric: {mistake}")
                self.mistakes += [
                    f"task[{number}].training.{name}: {task_choice.label!r} is no classification, and only those have "
                    f"it; set {name} = {json.dumps(OF_CLASSES[name])} in its training table"
                    for name in unused_settings(task, task_training(self.suite.training, task_choice))
                ]
        for number, strategy_choice in enumerate(self.suite.strategies, 1):
            with self._collecting(f"strategy[{number}]"):
                strategy = self.catalog.build("strategies", strategy_choice.use, strategy_choice.options)
                weights = {} if self.outlines else _nested_weights(strategy)
                part = Part(strategy_choice.use, strategy_choice.label, self.catalog.options(strategy), weights)
                self.strategies[strategy_choice.label] = (strategy, part)

    def _augmented(self, task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fingerprints of a task's augmentations, by key such as `augment[1]`.

        Raises:
            UserError: an augmentation does not apply to the task, or one of its files is missing.
        """
        found: dict[str, Any] = {}
        if not augmentations(task):
            return found
        mistakes = augmentation_mistakes(task, [one["use"] for one in options["augment"]])
        for number, augmentation in enumerate(augmentations(task), 1):
            try:
                content = augmentation.fingerprint()
            except UserError as error:
                mistakes += [f"augment[{number}].{mistake}" for mistake in error.mistakes]
            else:
                found |= {f"augment[{number}]": dict(content)} if content else {}
        if mistakes:
            raise UserError(*mistakes)
        return found

    def _collecting(self, key_path: str) -> _CollectMistakes:
        return _CollectMistakes(self.mistakes, key_path, self.unknown if self.suite.online else None)

    def _task_columns(self) -> Iterator[_TaskColumn]:
        tasks = {choice.label: choice for choice in self.suite.tasks}
        for number, task in enumerate(self.suite.tasks, 1):
            if task.alone and task.label in self.tasks:
                yield _TaskColumn(task.label, (task,), task.backbones, task.strategies, f"task[{number}]")
        for number, sequence in enumerate(self.suite.sequences, 1):
            if any(label not in self.tasks for label in sequence.tasks):
                continue
            members = tuple(tasks[label] for label in sequence.tasks)
            modalities = {self.tasks[task.label][0].modality for task in members}
            if len(modalities) > 1:
                both = " and ".join(sorted(modalities))
                self.mistakes.append(f"sequence[{number}].tasks: one learner cannot train on both {both}")
                continue
            answers = sorted({OUTPUT_TYPES[self.tasks[task.label][0].answer] for task in members})
            if len(answers) > 1:
                both = " and ".join(answers)
                self.mistakes.append(f"sequence[{number}].tasks: one learner cannot output both {both}")
                continue
            yield _TaskColumn(sequence.label, members, sequence.backbones, sequence.strategies, f"sequence[{number}]")

    def _configurations(self) -> Iterator[tuple[_TaskColumn, BackboneChoice, StrategyChoice]]:
        """Yield all configurations: a task column, a backbone and a strategy that may run together."""
        for column in self._task_columns():
            task = self.tasks[column.tasks[0].label][0]
            candidates = [
                b for b in self.suite.backbones if b.label in self.backbones and self._may_run_on(b, column, task)
            ]
            if not candidates and not self.unknown:
                needed = f"{task.modality} tasks that output {OUTPUT_TYPES[task.answer]}"
                self.mistakes.append(f"{column.key_path}: no [[backbone]] of this suite is for {needed}")
            for backbone in candidates:
                for strategy in self.suite.strategies:
                    if strategy.label not in self.strategies:
                        continue
                    allowed = (column.strategies, backbone.strategies)
                    if any(labels is not None and strategy.label not in labels for labels in allowed):
                        continue
                    if self.strategies[strategy.label][0].needs_sequence and len(column.tasks) == 1:
                        continue
                    yield column, backbone, strategy

    def _may_run_on(self, backbone: BackboneChoice, column: _TaskColumn, task: Task) -> bool:
        card = self.backbones[backbone.label][2]
        if column.backbones is None:
            return card.modality == task.modality and task.answer in card.answers
        named = backbone.label in column.backbones
        if named and task.answer not in card.answers:
            message = f"{backbone.label!r} ({card.architecture}) has no head that outputs {OUTPUT_TYPES[task.answer]}"
            self.mistakes.append(f"{column.key_path}.backbone: {message}")
        return named

    def _reason(self, column: _TaskColumn, backbone: BackboneChoice, strategy: StrategyChoice) -> str | None:
        """Return why a strategy does not apply to a configuration, or None if it does."""
        instance, answer = self.strategies[strategy.label][0], self.tasks[column.tasks[0].label][0].answer
        if answer not in instance.answers:
            return f"{strategy.use} does not apply to tasks that output {OUTPUT_TYPES[answer]}"
        try:
            instance.check(self.backbones[backbone.label][2])
        except NotApplicable as error:
            return str(error)
        return None

    def _check_applicable(self, configurations: list[tuple[_TaskColumn, BackboneChoice, StrategyChoice]]) -> None:
        reasons: dict[str, list[str | None]] = defaultdict(list)
        numbers = {choice.label: number for number, choice in enumerate(self.suite.strategies, 1)}
        for column, backbone, strategy in configurations:
            with self._collecting(f"strategy[{numbers[strategy.label]}] on {backbone.label}"):
                reasons[strategy.label].append(self._reason(column, backbone, strategy))
        self._raise_mistakes()
        if self.unknown:
            return
        for number, choice in enumerate(self.suite.strategies, 1):
            found = reasons[choice.label]
            if not found and self.strategies[choice.label][0].needs_sequence:
                self.mistakes.append(
                    f"strategy[{number}]: {choice.label!r} needs a [[sequence]] of tasks, and the suite has none for it"
                )
            elif not found:
                self.mistakes.append(f"strategy[{number}]: {choice.label!r} runs on no task and backbone of this suite")
            elif all(found):
                self.mistakes.append(
                    f"strategy[{number}]: {choice.label!r} applies to no configuration of this suite: {found[0]}"
                )
        trained = {column.label for column, _, _ in configurations}
        for column in self._task_columns():
            if column.label not in trained and not self.mistakes:
                self.mistakes.append(f"{column.key_path}: no strategy of this suite runs on {column.label!r}")

    def _trial(self, column: _TaskColumn, backbone: BackboneChoice, strategy: StrategyChoice, index: int) -> Trial:
        instance, part = self.strategies[strategy.label]
        loaded, backbone_part, card = self.backbones[backbone.label]
        tasks = [self.tasks[task.label][0] for task in column.tasks]
        inner = (type(found) for part in (instance, *tasks) for _, found in nested(part))
        classes = (type(instance), *inner, type(loaded), *(type(task) for task in tasks))
        if classes not in self.codes:
            self.codes[classes] = code_hash(classes, self.modules)
        return Trial(
            suite=self.suite.name,
            target=column.label,
            modality=card.modality,
            backbone=backbone_part,
            stages=tuple(self._stage(task, strategy, instance, card, index) for task in column.tasks),
            strategy=part,
            seed=self.suite.seeds[index],
            split_seed=self.suite.split_seed,
            device=self.device.partition(":")[0],
            threads=self.suite.machine.threads,
            profile=self.suite.profile,
            meters=self.suite.measure.meters,
            probe=self.suite.measure.probe and not self.suite.measure.quality_only,
            code=self.codes[classes],
            not_applicable=self._reason(column, backbone, strategy),
        )

    def _stage(
        self, task: TaskChoice, choice: StrategyChoice, strategy: Strategy, card: ModelCard, index: int
    ) -> Stage:
        if task.label not in self.protocols:
            self.protocols[task.label] = dataclasses.asdict(task_training(self.suite.training, task))
        training = dict(self.protocols[task.label])
        if choice.lr is not None:
            training["lr"] = choice.lr
        elif training["lr"] == "auto":
            training["lr"] = strategy.lr(card)
        instance, part = self.tasks[task.label]
        # Naming the primary score changes nothing, so it does not change the id either.
        metric = "" if task.metric == instance.primary else task.metric
        return Stage(
            dataclasses.replace(part, options={**part.options, **instance.options_at(index)}), training, metric
        )


class _CollectMistakes:
    """Context that catches a `UserError` and adds its lines, with their key, to the mistakes.

    If there is a list `unknown`, files that are not cached go there. Other exceptions pass through.
    """

    def __init__(self, mistakes: list[str], key_path: str, unknown: list[str] | None) -> None:
        self.mistakes, self.key_path, self.unknown = mistakes, key_path, unknown

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, UserError):
            return False
        if isinstance(error, NotCached) and self.unknown is not None:
            self.unknown.append(f"{self.key_path}: {error.what}")
        else:
            self.mistakes.extend(f"{self.key_path}: {mistake}" for mistake in error.mistakes)
        return True


def _nested_weights(strategy: Strategy) -> dict[str, Any]:
    """Return the fingerprint of every backbone in a strategy's options, such as a teacher."""
    return {key_path: dict(found.fingerprint()) for key_path, found in nested(strategy) if isinstance(found, Backbone)}
