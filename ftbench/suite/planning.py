"""The plan that multiplies a suite into trials, and tells all that is wrong with it at once."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.augmentation import augmentation_mistakes, augmentations
from ..api.backbone import Backbone
from ..api.card import OUTPUT_TYPES
from ..api.catalog import nested
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

MOST = 100_000
"""Trials a suite may have."""


@dataclass(frozen=True)
class _Target:
    """A column of the page: a task alone, or a sequence."""

    label: str
    tasks: tuple[TaskChoice, ...]
    backbones: tuple[str, ...] | None
    strategies: tuple[str, ...] | None
    place: str


@dataclass(frozen=True)
class Foreseen:
    """What can be said of a suite before anything is downloaded."""

    trials: list[Trial]
    """Those of which everything is known."""
    unknown: tuple[str, ...] = ()
    """What is not known yet: a line for each model or data set that is still to be downloaded."""


def plan(suite: Suite, catalog: Catalog, device: str = "cpu") -> list[Trial]:
    """Multiply a suite into trials, seed by seed, so that a run cut short has whole comparisons.

    Raises:
        SuiteError: a file named by an option is missing; a task has no backbone; a strategy or task has no cell.
    """
    foreseen = foresee(suite, catalog, device)
    if foreseen.unknown:
        raise SuiteError(*(f"{suite.source}: {line}" for line in foreseen.unknown))
    return foreseen.trials


def foresee(suite: Suite, catalog: Catalog, device: str = "cpu", *, outlines: bool = False) -> Foreseen:
    """Plan what can be planned; where the suite may download, what is not there yet is no mistake.

    With `outlines` no weights are looked for: the trials' ids are then not those of trials that are run.

    Raises:
        SuiteError: as `plan` does.
    """
    planner = _Planner(suite, catalog, device, outlines=outlines)
    return Foreseen(planner.trials(), tuple(planner.unknown))


class _Planner:
    def __init__(self, suite: Suite, catalog: Catalog, device: str, *, outlines: bool = False) -> None:
        self.suite, self.catalog, self.device, self.outlines = suite, catalog, device, outlines
        self.mistakes: list[str] = []
        self.unknown: list[str] = []
        self.backbones: dict[str, tuple[Backbone, Part, ModelCard]] = {}
        self.tasks: dict[str, tuple[Task, Part]] = {}
        self.strategies: dict[str, tuple[Strategy, Part]] = {}
        self.codes: dict[tuple[type, ...], str] = {}
        self.protocols: dict[str, dict[str, Any]] = {}

    def trials(self) -> list[Trial]:
        self._describe()
        self._stop_at_mistakes()
        cells = list(itertools.islice(self._cells(), MOST + 1))
        if len(cells) * len(self.suite.seeds) > MOST:
            self.mistakes.append(f"asks for more than {MOST:,} trials; leave strategies, tasks or seeds out")
        self._stop_at_mistakes()
        self._check_cells(cells)
        self._stop_at_mistakes()
        return [self._trial(*cell, place) for place in range(len(self.suite.seeds)) for cell in cells]

    def _stop_at_mistakes(self) -> None:
        if self.mistakes:
            raise SuiteError(*(f"{self.suite.source}: {mistake}" for mistake in dict.fromkeys(self.mistakes)))

    def _describe(self) -> None:
        for number, choice in enumerate(self.suite.backbones, 1):
            with self._at(f"backbone[{number}]"):
                backbone = self.catalog.build("backbones", choice.use, choice.options)
                content = {} if self.outlines else dict(backbone.fingerprint())
                part = Part(choice.use, choice.label, self.catalog.options(backbone), content)
                self.backbones[choice.label] = (
                    backbone,
                    part,
                    backbone.outline_card() if self.outlines else backbone.card(),
                )
        for number, task_choice in enumerate(self.suite.tasks, 1):
            with self._at(f"task[{number}]"):
                task = self.catalog.build("tasks", task_choice.use, task_choice.options)
                options = self.catalog.options(task)
                part = Part(
                    task_choice.use,
                    task_choice.label,
                    options,
                    {**task.fingerprint(), **self._augmented(task, options)},
                )
                self.tasks[task_choice.label] = (task, part)
        for number, strategy_choice in enumerate(self.suite.strategies, 1):
            with self._at(f"strategy[{number}]"):
                strategy = self.catalog.build("strategies", strategy_choice.use, strategy_choice.options)
                weights = {} if self.outlines else _nested_weights(strategy)
                part = Part(strategy_choice.use, strategy_choice.label, self.catalog.options(strategy), weights)
                self.strategies[strategy_choice.label] = (strategy, part)

    def _augmented(self, task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
        """Give the fingerprints of a task's augmentations, by place.

        Raises:
            UserError: an augmentation is for other tasks, or what it is made of is missing.
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

    def _at(self, place: str) -> _Collect:
        return _Collect(self.mistakes, place, self.unknown if self.suite.online else None)

    def _targets(self) -> Iterator[_Target]:
        tasks = {choice.label: choice for choice in self.suite.tasks}
        for number, task in enumerate(self.suite.tasks, 1):
            if task.alone and task.label in self.tasks:
                yield _Target(task.label, (task,), task.backbones, task.strategies, f"task[{number}]")
        for number, sequence in enumerate(self.suite.sequences, 1):
            if any(label not in self.tasks for label in sequence.tasks):
                continue
            members = tuple(tasks[label] for label in sequence.tasks)
            modalities = {self.tasks[task.label][0].modality for task in members}
            if len(modalities) > 1:
                self.mistakes.append(
                    f"sequence[{number}].tasks: one learner cannot learn {' and '.join(sorted(modalities))}"
                )
                continue
            answers = sorted({OUTPUT_TYPES[self.tasks[task.label][0].answer] for task in members})
            if len(answers) > 1:
                self.mistakes.append(
                    f"sequence[{number}].tasks: one learner cannot answer both with {' and with '.join(answers)}"
                )
                continue
            yield _Target(sequence.label, members, sequence.backbones, sequence.strategies, f"sequence[{number}]")

    def _cells(self) -> Iterator[tuple[_Target, BackboneChoice, StrategyChoice]]:
        for target in self._targets():
            task = self.tasks[target.tasks[0].label][0]
            met = [b for b in self.suite.backbones if b.label in self.backbones and self._meets(b, target, task)]
            if not met and not self.unknown:
                self.mistakes.append(
                    f"{target.place}: no [[backbone]] of this suite is for {task.modality}, answering with {OUTPUT_TYPES[task.answer]}"
                )
            for backbone in met:
                for strategy in self.suite.strategies:
                    if strategy.label not in self.strategies:
                        continue
                    allowed = (target.strategies, backbone.strategies)
                    if any(labels is not None and strategy.label not in labels for labels in allowed):
                        continue
                    if self.strategies[strategy.label][0].needs_sequence and len(target.tasks) == 1:
                        continue
                    yield target, backbone, strategy

    def _meets(self, backbone: BackboneChoice, target: _Target, task: Task) -> bool:
        card = self.backbones[backbone.label][2]
        if target.backbones is None:
            return card.modality == task.modality and task.answer in card.answers
        named = backbone.label in target.backbones
        if named and task.answer not in card.answers:
            message = f"{target.place}.backbone: {backbone.label!r} ({card.architecture}) has no head that answers with {OUTPUT_TYPES[task.answer]}"
            self.mistakes.append(message)
        return named

    def _reason(self, target: _Target, backbone: BackboneChoice, strategy: StrategyChoice) -> str | None:
        """Tell why a strategy cannot serve a cell; None where it can."""
        instance, answer = self.strategies[strategy.label][0], self.tasks[target.tasks[0].label][0].answer
        if answer not in instance.answers:
            return f"{strategy.use} has no meaning where the answer is {OUTPUT_TYPES[answer]}"
        try:
            instance.check(self.backbones[backbone.label][2])
        except NotApplicable as error:
            return str(error)
        return None

    def _check_cells(self, cells: list[tuple[_Target, BackboneChoice, StrategyChoice]]) -> None:
        reasons: dict[str, list[str | None]] = defaultdict(list)
        places = {choice.label: place for place, choice in enumerate(self.suite.strategies, 1)}
        for target, backbone, strategy in cells:
            with self._at(f"strategy[{places[strategy.label]}] on {backbone.label}"):
                reasons[strategy.label].append(self._reason(target, backbone, strategy))
        self._stop_at_mistakes()
        if self.unknown:
            return
        for number, choice in enumerate(self.suite.strategies, 1):
            found = reasons[choice.label]
            if not found and self.strategies[choice.label][0].needs_sequence:
                self.mistakes.append(
                    f"strategy[{number}]: {choice.label!r} needs a [[sequence]] of tasks, and meets none"
                )
            elif not found:
                self.mistakes.append(
                    f"strategy[{number}]: {choice.label!r} meets no task and no backbone of this suite"
                )
            elif all(found):
                self.mistakes.append(
                    f"strategy[{number}]: {choice.label!r} can serve no cell of this suite: {found[0]}"
                )
        trained = {target.label for target, _, _ in cells}
        for target in self._targets():
            if target.label not in trained and not self.mistakes:
                self.mistakes.append(f"{target.place}: {target.label!r} meets no strategy of this suite")

    def _trial(self, target: _Target, backbone: BackboneChoice, strategy: StrategyChoice, place: int) -> Trial:
        instance, part = self.strategies[strategy.label]
        loaded, backbone_part, card = self.backbones[backbone.label]
        tasks = [self.tasks[task.label][0] for task in target.tasks]
        inner = (type(found) for part in (instance, *tasks) for _, found in nested(part))
        classes = (type(instance), *inner, type(loaded), *(type(task) for task in tasks))
        if classes not in self.codes:
            self.codes[classes] = code_hash(classes)
        return Trial(
            suite=self.suite.name,
            target=target.label,
            modality=card.modality,
            backbone=backbone_part,
            stages=tuple(self._stage(task, strategy, instance, card, place) for task in target.tasks),
            strategy=part,
            seed=self.suite.seeds[place],
            split_seed=self.suite.split_seed,
            device=self.device.partition(":")[0],
            threads=self.suite.machine.threads,
            profile=self.suite.profile,
            meters=self.suite.measure.meters,
            probe=self.suite.measure.probe and not self.suite.measure.quality_only,
            code=self.codes[classes],
            not_applicable=self._reason(target, backbone, strategy),
        )

    def _stage(
        self, task: TaskChoice, choice: StrategyChoice, strategy: Strategy, card: ModelCard, place: int
    ) -> Stage:
        if task.label not in self.protocols:
            self.protocols[task.label] = dataclasses.asdict(task_training(self.suite.training, task))
        training = dict(self.protocols[task.label])
        if choice.lr is not None:
            training["lr"] = choice.lr
        elif training["lr"] == "auto":
            training["lr"] = strategy.lr(card)
        instance, part = self.tasks[task.label]
        return Stage(dataclasses.replace(part, options={**part.options, **instance.options_at(place)}), training)


class _Collect:
    """Turns a user's mistake into a line that begins with its place; lets everything else through.

    What is not cached goes to `unknown`, where there is such a list.
    """

    def __init__(self, mistakes: list[str], place: str, unknown: list[str] | None) -> None:
        self.mistakes, self.place, self.unknown = mistakes, place, unknown

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, UserError):
            return False
        if isinstance(error, NotCached) and self.unknown is not None:
            self.unknown.append(f"{self.place}: {error.what}")
        else:
            self.mistakes.extend(f"{self.place}: {mistake}" for mistake in error.mistakes)
        return True


def _nested_weights(strategy: Strategy) -> dict[str, Any]:
    """Give the fingerprint of every backbone named in a strategy's options, such as a teacher."""
    return {place: dict(found.fingerprint()) for place, found in nested(strategy) if isinstance(found, Backbone)}
