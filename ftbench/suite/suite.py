"""The suite: the content of a TOML file, with names and options validated."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from ..api.protocol import Training
from ..stats.estimates import MARGIN

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")


@dataclass(frozen=True)
class Machine:
    """Where and how trials run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses a GPU if there is one."""
    threads: Annotated[int, Ge(1)] = 2
    """CPU threads of each trial. Part of the trial id, because sums depend on it."""
    checkpoint: str = "10m"
    """How often a running trial writes a checkpoint, so that a killed trial resumes from it: a duration, or `never`.
    Shorter trials write none. Time, rate and energy measured in a resumed trial are flagged."""
    workers: Annotated[int, Ge(1)] = 1
    """Number of trials that run side by side on a CPU, each on its own cores; requires `measure.quality_only`. Not part
    of the trial id."""


@dataclass(frozen=True)
class Limits:
    """When a trial is stopped or retried."""

    trial: str = "2h"
    """Longest wall time, such as `30m`."""
    no_progress: str = "15m"
    """Longest time without a heartbeat."""
    retries: Annotated[int, Ge(0), Le(10)] = 2
    """How often a trial is retried that failed because of the machine (`infra`): a full disk, a lost GPU, a process
    killed from outside. Other failures are not retried. Every attempt is kept and shown."""


@dataclass(frozen=True)
class Measure:
    """What is measured besides the scores."""

    meters: tuple[str, ...] = ("parameters", "time", "latency", "memory", "energy", "accounting")
    """Names of meters."""
    quality_only: bool = False
    """Whether to measure scores only. Trials may then run side by side, and no time, rate, energy or money is
    reported."""
    probe: bool = True
    """Whether throughput is measured again after scoring, on a discarded copy, if the training was too short for it to
    settle. Takes 15 s or more per trial; never done in the profile `smoke`."""


@dataclass(frozen=True)
class Cost:
    """What an hour and a kilowatt-hour cost where the trials run. Not part of the trial id."""

    price_per_hour: Annotated[float, Gt(0)] | None = None
    """Price of an hour of the machine, or of the share of it, that one trial uses. Without it no money is reported."""
    currency: Annotated[str, MinLen(1)] = "USD"
    """Currency of the price."""
    grams_per_kwh: Annotated[float, Gt(0)] | None = None
    """Grams of CO₂ equivalent per kilowatt-hour. Without it no emissions are reported."""


@dataclass(frozen=True)
class Statistics:
    """What counts as a difference. Not part of the trial id."""

    margin: Annotated[float, Gt(0), Lt(1)] = MARGIN
    """Largest difference that does not matter in a score that is a share, such as accuracy; by default half a point."""
    margins: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    """The same for one score (`word_error_rate`), one task or sequence (`"my-task"`), or both (`"my-task/f1"`), in the
    unit of the score. The most specific name applies."""


Preference = Literal["memory", "time", "parameters", "price"]


@dataclass(frozen=True)
class Report:
    """What reports recommend. Not part of the trial id."""

    prefer: Preference = "memory"
    """Kind of cost that chooses among strategies that could be the best."""


@dataclass(frozen=True)
class Gate:
    """What `ftbench gate` requires of a run compared with a baseline. Not part of the trial id."""

    margin: Annotated[float, Gt(0)] = 0.01
    """Largest loss of a score that does not matter, in the score's unit; 0.01 is one point of a share."""
    margins: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    """Other margins, by the name of the score."""
    metrics: tuple[str, ...] = ()
    """Scores checked besides the one that decides each task."""
    alpha: Annotated[float, Gt(0), Lt(0.5)] = 0.05
    """Probability, over all looks, that any score is called worse if none is."""
    looks: Annotated[tuple[Annotated[int, Ge(3)], ...], MinLen(1)] = (3, 6, 10)
    """Numbers of paired seeds at which scores are tested, each look at level `alpha` divided by the number of looks. If
    a look is inconclusive, the gate asks for more seeds."""
    memory: Annotated[float, Gt(0), Lt(1)] = 0.01
    """Largest growth of the allocator's peak that does not matter, as a share of the baseline's; at least
    `memory_bytes`."""
    memory_bytes: Annotated[int, Ge(1)] = 33_554_432
    """The same in bytes: 32 MiB."""
    slowdown: Annotated[float, Gt(0), Lt(1)] = 0.05
    """Largest loss of throughput that does not matter, as a share."""
    pairs: Annotated[int, Ge(5)] = 5
    """Number of pairs of trials, run alternately, on which throughput is tested."""
    slowdown_alpha: Annotated[float, Gt(0), Lt(0.5)] = 0.01
    """Probability that a strategy is called slower if it is not, before it is run again."""


@dataclass(frozen=True)
class Tuning:
    """How values are searched for every strategy before the final trials run; scored on the validation split only."""

    search: Literal["grid", "random", "tpe"] = "grid"
    """How values are chosen: a full grid, at random, or by optuna's tree-structured Parzen estimator (Bergstra et al.
    2011)."""
    tries: Annotated[int, Ge(1)] | None = None
    """Number of sets of values to try for each strategy on each backbone and task column; give this or `seconds`."""
    seconds: Annotated[float, Gt(0)] | None = None
    """Budget in seconds of training instead, on the GPU if there is one; no tuning trial starts once it is spent."""
    options: bool = False
    """Whether to tune the other options that a strategy offers, such as a rank, besides its learning rate."""
    metric: str = ""
    """Validation score to optimise; by default the one that decides each task column."""
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], MinLen(1)] = (1000,)
    """Trial seeds of every set of values, whose mean score counts. None of them may be among the suite's `seeds`."""
    search_seed: Annotated[int, Ge(0)] = 0
    """Seed of the random choices of the search."""
    pruning: Literal["none", "halving"] = "none"
    """`halving`: a tuning trial is pruned at a validation where it is not among the best of the earlier ones (optuna's
    successive halving; Li et al. 2020)."""
    reduction: Annotated[int, Ge(2)] = 3
    """Reduction factor of `halving`: one in so many tuning trials continues."""
    extend: bool = False
    """Whether a search continues beyond its range, at most twice, if the best learning rate is at an end of it. All
    other strategies on the same backbone and task column then get as many more tuning trials within their ranges."""
    defaults: bool = True
    """Whether to run the untuned values with the suite's seeds too, to show on the test split what tuning changed."""
    unequal: bool = False
    """Whether strategies may have different budgets; they are then not compared with each other."""


@dataclass(frozen=True)
class Choice:
    """A plugin's name and options, with a label."""

    use: str
    """The name a plugin offers."""
    label: str
    """Its name in tables and paths; by default `use`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Validated options."""


@dataclass(frozen=True)
class BackboneChoice(Choice):
    """A `[[backbone]]` entry."""

    strategies: tuple[str, ...] | None = None
    """Labels of the strategies that run on it; all by default."""


@dataclass(frozen=True)
class TaskChoice(Choice):
    """A `[[task]]` entry."""

    backbones: tuple[str, ...] | None = None
    """Labels of the backbones that run on it; all of its modality by default."""
    strategies: tuple[str, ...] | None = None
    """Labels of the strategies that run on it; all by default."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Values that replace those of the suite's `[training]` for this task."""
    alone: bool = True
    """Whether it also runs by itself, not only in sequences."""
    metric: str = ""
    """Score that decides: it ranks, and tuning, gate and recommendations use it; by default the task's primary score.
    `recall[CLASS]`, `precision[CLASS]` and `f1[CLASS]` are scores of one class."""


@dataclass(frozen=True)
class SequenceChoice:
    """A `[[sequence]]` entry: tasks trained one after another."""

    label: str
    """Its name."""
    tasks: Annotated[tuple[str, ...], MinLen(2)]
    """Labels of `[[task]]` entries, in training order."""
    backbones: tuple[str, ...] | None = None
    """Labels of the backbones that run on it; all of the tasks' modality by default."""
    strategies: tuple[str, ...] | None = None
    """Labels of the strategies that run on it; all by default."""


@dataclass(frozen=True)
class StrategyChoice(Choice):
    """A `[[strategy]]` entry."""

    lr: Annotated[float, Gt(0)] | None = None
    """Learning rate that replaces the suite's."""
    space: Mapping[str, Any] = field(default_factory=dict)
    """Search space of `[tuning]`: `lr` or an option → a list of values, or `low`, `high` and optionally `log`."""
    tries: int | None = None
    """Its own value of `tuning.tries`."""
    seconds: float | None = None
    """Its own value of `tuning.seconds`."""


@dataclass(frozen=True)
class Suite:
    """A complete suite, with names and options validated."""

    name: str
    """Name of the suite and of its run directory."""
    seeds: tuple[int, ...]
    """Trial seeds; they determine heads, adapters, order of examples and dropout."""
    backbones: tuple[BackboneChoice, ...]
    tasks: tuple[TaskChoice, ...]
    strategies: tuple[StrategyChoice, ...]
    sequences: tuple[SequenceChoice, ...] = ()
    split_seed: int = 0
    """Seed of the splits, the same for all trial seeds, so that the test items are the same."""
    online: bool = False
    """Whether to download models and data sets that are not in the Hub cache, once, before the first trial."""
    profile: Literal["smoke", "normal", "publish"] = "normal"
    """`smoke`: short measuring windows, for a first look. `normal`: 5 seeds. `publish`: 10 seeds."""
    training: Training = field(default_factory=Training)
    machine: Machine = field(default_factory=Machine)
    limits: Limits = field(default_factory=Limits)
    measure: Measure = field(default_factory=Measure)
    cost: Cost = field(default_factory=Cost)
    statistics: Statistics = field(default_factory=Statistics)
    report: Report = field(default_factory=Report)
    gate: Gate = field(default_factory=Gate)
    tuning: Tuning | None = None
    """How strategies are tuned; None if they are not."""
    source: str = "suite"
    """The file it was read from, for messages."""


def checkpoint_seconds(machine: Machine) -> float | None:
    """Return the seconds between two checkpoints, or None if there are none."""
    return None if machine.checkpoint == "never" else seconds(machine.checkpoint)


def seconds(duration: str) -> float:
    """Parse a duration such as `90s`, `30m` or `2h` into seconds; nan if it is not one."""
    match = _DURATION.fullmatch(duration)
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else float("nan")


def margin_of(statistics: Statistics, target: str, metric: str, unit: str = "1") -> float:
    """Return the equivalence margin of a score in its unit; 0 if it is not a share and the suite gives no margin.

    Args:
        statistics: the table of the suite.
        target: label of the task or sequence.
        metric: name of the score.
        unit: unit of the score; "1" for a share.
    """
    given = statistics.margins
    default = statistics.margin if unit == "1" else 0.0
    return next((given[name] for name in (f"{target}/{metric}", target, metric) if name in given), default)


def task_training(training: Training, task: TaskChoice) -> Training:
    """Return the training protocol of one task; its own `epochs` replaces the suite's `steps`, and vice versa."""
    own = dict(task.training)
    if "epochs" in own:
        own.setdefault("steps", None)
    if "steps" in own:
        own.setdefault("epochs", None)
    return replace(training, **own)
