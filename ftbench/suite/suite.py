"""A suite: what a TOML file asks for, names and options already validated."""

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
    """`auto` takes a GPU where there is one."""
    threads: Annotated[int, Ge(1)] = 2
    """CPU threads of each trial; part of a trial's identity, because sums differ with it."""
    checkpoint: str = "10m"
    """How often a trial under way is written down, so that one that is killed goes on from there: a duration, or `never`. Nothing is
    written of shorter trials; what is measured of time, rate and energy of a trial that went on so is flagged."""
    workers: Annotated[int, Ge(1)] = 1
    """Trials side by side on a CPU, each on cores of its own; only with `measure.quality_only`. No part of a trial's identity."""


@dataclass(frozen=True)
class Limits:
    """When a trial is given up."""

    trial: str = "2h"
    """Longest wall time, such as `30m`."""
    no_progress: str = "15m"
    """Longest time without a sign of life."""
    retries: Annotated[int, Ge(0), Le(10)] = 2
    """How often a trial is tried again that the machine ended (`infra`): a full disk, a lost card, a process killed from outside.
    Nothing else is tried again; every attempt is kept and shown."""


@dataclass(frozen=True)
class Measure:
    """What is measured beside the scores."""

    meters: tuple[str, ...] = ("parameters", "time", "latency", "memory", "energy", "accounting")
    """Names of meters."""
    quality_only: bool = False
    """Whether only scores are wanted: trials may run side by side then, and no time, rate, energy or money is told of them."""
    probe: bool = True
    """Whether the throughput of a training that was too short to settle is measured once more after scoring, on a discarded copy:
    a quarter of a minute or more a trial; never in the profile `smoke`."""


@dataclass(frozen=True)
class Cost:
    """What an hour and a kilowatt-hour cost where the trials run; no part of a trial's identity."""

    price_per_hour: Annotated[float, Gt(0)] | None = None
    """Price of an hour of one trial's machine, or of its share of one; no money without it."""
    currency: Annotated[str, MinLen(1)] = "USD"
    """What the price is in."""
    grams_per_kwh: Annotated[float, Gt(0)] | None = None
    """Grams of CO₂ equivalent of a kilowatt-hour; no emissions without it."""


@dataclass(frozen=True)
class Statistics:
    """What is called a difference; no part of a trial's identity."""

    margin: Annotated[float, Gt(0), Lt(1)] = MARGIN
    """Largest difference of a score that is a share, such as accuracy, that does not matter: half a point."""
    margins: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    """The same for one score (`word_error_rate`), for one task or sequence (`"my-task"`), or for both (`"my-task/f1"`), in the unit of
    the score; the most exact name counts."""


@dataclass(frozen=True)
class Gate:
    """What `ftbench gate` holds a run to against a baseline; no part of a trial's identity."""

    margin: Annotated[float, Gt(0)] = 0.01
    """The largest loss of a score that does not matter, in the score's unit: 0.01 of a share is one point."""
    margins: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    """Other margins, by the name of the score."""
    metrics: tuple[str, ...] = ()
    """Scores held beside each task's primary one."""
    alpha: Annotated[float, Gt(0), Lt(0.5)] = 0.05
    """Chance that any score is called worse where none is, over all looks."""
    looks: Annotated[tuple[Annotated[int, Ge(3)], ...], MinLen(1)] = (3, 6, 10)
    """Numbers of paired seeds at which scores are judged, each look at `alpha` over their number; more seeds are asked for where a
    look says too little."""
    memory: Annotated[float, Gt(0), Lt(1)] = 0.01
    """The largest growth of the allocator's peak that does not matter, as a share of the baseline's; never less than `memory_bytes`."""
    memory_bytes: Annotated[int, Ge(1)] = 33_554_432
    """The same in bytes: 32 MiB."""
    slowdown: Annotated[float, Gt(0), Lt(1)] = 0.05
    """The largest loss of throughput that does not matter, as a share."""
    pairs: Annotated[int, Ge(5)] = 5
    """Pairs of trials, run in turn, that throughput is judged on."""
    slowdown_alpha: Annotated[float, Gt(0), Lt(0.5)] = 0.01
    """Chance that a strategy is called slower where it is not, before it is run again."""


@dataclass(frozen=True)
class Tuning:
    """How values are searched for every strategy before the seeds that count are run; scored on the validation split alone."""

    search: Literal["grid", "random", "tpe"] = "grid"
    """How values are chosen: all of a grid; at random; or by optuna's tree-structured Parzen estimator (Bergstra et al. 2011)."""
    tries: Annotated[int, Ge(1)] | None = None
    """How many sets of values are tried for each strategy on each backbone and target; give this or `seconds`."""
    seconds: Annotated[float, Gt(0)] | None = None
    """Seconds of training instead, of a GPU where there is one: no try begins when they are spent."""
    options: bool = False
    """Whether what a strategy offers beside its learning rate is tuned too, such as a rank."""
    metric: str = ""
    """The score of the validation split that decides; by default each target's primary one."""
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], MinLen(1)] = (1000,)
    """Trial seeds of every try, the mean over which counts; none of them among the suite's `seeds`."""
    search_seed: Annotated[int, Ge(0)] = 0
    """Seed of what is drawn in the search."""
    pruning: Literal["none", "halving"] = "none"
    """`halving`: a try stops at a validation at which it is not among the best of the earlier tries (optuna's successive halving; Li et
    al. 2020)."""
    reduction: Annotated[int, Ge(2)] = 3
    """In `halving`, one of so many goes on."""
    extend: bool = False
    """Whether a search that finds its best learning rate at an end of the range goes on beyond it, at most twice; all others of the
    same backbone and target then get as many further tries within their range."""
    defaults: bool = True
    """Whether the untuned values are run with the suite's seeds too, so that what tuning changed is seen on the test split."""
    unequal: bool = False
    """Whether strategies may have budgets of their own; they are not compared with each other then."""


@dataclass(frozen=True)
class Choice:
    """A plugin's name with options, under a label."""

    use: str
    """The name a plugin offers."""
    label: str
    """What tables and paths call it; by default the name."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Validated options."""


@dataclass(frozen=True)
class BackboneChoice(Choice):
    """A `[[backbone]]` entry."""

    strategies: tuple[str, ...] | None = None
    """Labels of the strategies it meets; all by default."""


@dataclass(frozen=True)
class TaskChoice(Choice):
    """A `[[task]]` entry."""

    backbones: tuple[str, ...] | None = None
    """Labels of the backbones it meets; all of its modality by default."""
    strategies: tuple[str, ...] | None = None
    """Labels of the strategies it meets; all by default."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the suite's `[training]` for this task."""
    alone: bool = True
    """Whether it is also a task of its own, not only a part of sequences."""


@dataclass(frozen=True)
class SequenceChoice:
    """A `[[sequence]]` entry: tasks learnt one after another."""

    label: str
    """Its name."""
    tasks: Annotated[tuple[str, ...], MinLen(2)]
    """Labels of `[[task]]` entries, in the order of learning."""
    backbones: tuple[str, ...] | None = None
    """Labels of the backbones it meets; all of the tasks' modality by default."""
    strategies: tuple[str, ...] | None = None
    """Labels of the strategies it meets; all by default."""


@dataclass(frozen=True)
class StrategyChoice(Choice):
    """A `[[strategy]]` entry."""

    lr: Annotated[float, Gt(0)] | None = None
    """Learning rate instead of the suite's."""
    space: Mapping[str, Any] = field(default_factory=dict)
    """What `[tuning]` searches: `lr` or an option → a list of values, or `low`, `high` and perhaps `log`."""
    tries: int | None = None
    """A number of tries of its own."""
    seconds: float | None = None
    """Seconds of training of its own."""


@dataclass(frozen=True)
class Suite:
    """A whole suite, names and options already validated."""

    name: str
    """Its run directory is called so."""
    seeds: tuple[int, ...]
    """Trial seeds: heads, adapters, order of examples, dropout."""
    backbones: tuple[BackboneChoice, ...]
    tasks: tuple[TaskChoice, ...]
    strategies: tuple[StrategyChoice, ...]
    sequences: tuple[SequenceChoice, ...] = ()
    split_seed: int = 0
    """Seed of the splits: the same for all trial seeds, so that test items are."""
    online: bool = False
    """Whether models and data sets that are not in the hub cache are downloaded, once, before the first trial."""
    profile: Literal["smoke", "normal", "publish"] = "normal"
    """`smoke`: one or two seeds, short measuring windows, no claims. `normal`: 5 seeds. `publish`: 10."""
    training: Training = field(default_factory=Training)
    machine: Machine = field(default_factory=Machine)
    limits: Limits = field(default_factory=Limits)
    measure: Measure = field(default_factory=Measure)
    cost: Cost = field(default_factory=Cost)
    statistics: Statistics = field(default_factory=Statistics)
    gate: Gate = field(default_factory=Gate)
    tuning: Tuning | None = None
    """How strategies are tuned; None where they run as the suite says."""
    source: str = "suite"
    """The file it was read from, for messages."""


def checkpoint_seconds(machine: Machine) -> float | None:
    """Give the seconds between two checkpoints; None for none."""
    return None if machine.checkpoint == "never" else seconds(machine.checkpoint)


def seconds(duration: str) -> float:
    """Read a duration such as `90s`, `30m` or `2h`; nan where it is none."""
    match = _DURATION.fullmatch(duration)
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else float("nan")


def margin_of(statistics: Statistics, target: str, metric: str, unit: str = "1") -> float:
    """Give the margin of equivalence of a score of a task or sequence, in its unit; 0 where it is no share and the suite names none."""
    given = statistics.margins
    default = statistics.margin if unit == "1" else 0.0
    return next((given[name] for name in (f"{target}/{metric}", target, metric) if name in given), default)


def task_training(training: Training, task: TaskChoice) -> Training:
    """Give the protocol of one task: its own `epochs` replaces the suite's `steps`, and the reverse."""
    own = dict(task.training)
    if "epochs" in own:
        own.setdefault("steps", None)
    if "steps" in own:
        own.setdefault("epochs", None)
    return replace(training, **own)
