"""Parse a TOML file into a `Suite`, and report all mistakes at once, each with its key."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api.catalog import NAME, NAMES, Catalog, option_names
from ..api.protocol import Training
from ..errors import PluginError, SuiteError, suggestion
from .deciding_metrics import deciding_metric_mistake, sequence_metric_mistakes
from .suite import (
    BackboneChoice,
    Cost,
    Gate,
    Limits,
    Machine,
    Measure,
    Report,
    SequenceChoice,
    Statistics,
    StrategyChoice,
    Suite,
    TaskChoice,
    Tuning,
    task_training,
)
from .toml_file import check_suite_version, read_table
from .tuning_options import read_own_tuning, tuning_mistakes
from .validation import margin_mistakes, sequence_mistakes, shown_key, table_mistakes, training_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MAX_ENTRIES = 200
"""Largest number of entries of a kind."""
MAX_SIZE = 1000
"""Largest number of seeds, of points of a sweep, and of strategies including sweeps."""
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9._-]+")

_ENTRY_KEYS = {
    "backbone": ("use", "label", "options", "strategies"),
    "task": ("use", "label", "options", "backbone", "strategies", "training", "alone", "metric"),
    "strategy": ("use", "label", "options", "lr", "sweep", "space", "tries", "seconds"),
    "sequence": ("label", "tasks", "backbone", "strategies"),
}
_TABLES = {
    table.__name__.lower(): table for table in (Training, Machine, Limits, Measure, Cost, Statistics, Report, Gate)
}
_TOP = ("schema", "name", "seeds", "split_seed", "online", "profile", "tuning", *_TABLES, *_ENTRY_KEYS)


def read_suite(path: Path, catalog: Catalog) -> Suite:
    """Read a suite file.

    Raises:
        SuiteError: one line for every mistake, each with the file and the key.
    """
    return parse_suite(read_table(path), catalog, str(path))


def parse_suite(table: Mapping[str, Any], catalog: Catalog, source: str = "suite") -> Suite:
    """Parse a TOML table into a suite; see `read_suite`."""
    check_suite_version(table, source)
    reader = _Reader(catalog)
    try:
        suite = reader.suite(dict(table))
    except RecursionError:
        raise SuiteError(f"{source}: nested too deeply to be a suite") from None
    if reader.mistakes or suite is None:
        raise SuiteError(*(f"{source}: {mistake}" for mistake in dict.fromkeys(reader.mistakes)))
    return replace(suite, source=source)


class _Reader:
    """Builds a suite and collects mistakes; parts that it cannot build are left out."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.mistakes: list[str] = []

    def suite(self, table: dict[str, Any]) -> Suite | None:
        if not table:
            self.mistakes.append("is empty; `ftbench new suite quickstart` writes one to start from")
            return None
        for key in table:
            if key not in _TOP:
                self.mistakes.append(f"{shown_key(key)}: unknown key{suggestion(key, _TOP)}")
        name = table.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.mistakes.append(f"name: must be {NAMES}")
        parts = {key: self._table(key, cls, table.get(key, {})) for key, cls in _TABLES.items()}
        self.mistakes.extend(table_mistakes(parts))
        if parts["measure"] is not None:
            self._check_meters(parts["measure"])
        backbones, tasks = self._backbones(table), self._tasks(table, parts["training"])
        strategies, sequences = self._strategies(table), self._sequences(table)
        seeds = self._seeds(table)
        self._cross_check(backbones, tasks, strategies, sequences)
        if parts["training"] is not None and not self.mistakes:
            self.mistakes.extend(sequence_mistakes(parts["training"], tasks, sequences))
        self.mistakes.extend(sequence_metric_mistakes(tasks, sequences, self.catalog))
        if parts["statistics"] is not None:
            targets = [*(task.label for task in tasks), *(sequence.label for sequence in sequences)]
            self.mistakes.extend(margin_mistakes(parts["statistics"], targets))
        profile = table.get("profile", "normal")
        if profile not in ("smoke", "normal", "publish"):
            self.mistakes.append(f"profile: must be 'smoke', 'normal' or 'publish', got {profile!r}")
        online = self._online(table)
        tuning = self._table("tuning", Tuning, table["tuning"]) if "tuning" in table else None
        self.mistakes.extend(tuning_mistakes(tuning, strategies, seeds, parts["training"], asked="tuning" in table))
        if self.mistakes:
            return None
        return Suite(
            str(name),
            seeds,
            *(backbones, tasks, strategies, sequences),
            split_seed=table.get("split_seed", 0),
            online=online,
            profile=profile,
            tuning=tuning,
            **parts,
        )

    # -- tables -----------------------------------------------------------------------------------------------------

    def _table(self, key: str, cls: type, value: Any) -> Any:
        if not isinstance(value, dict):
            self.mistakes.append(f"{key}: must be a table, [{key}]")
            return None
        before = len(self.mistakes)
        self._options(f"{key}.", cls, value)
        if len(self.mistakes) > before:
            return None
        tuples = {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}
        return cls(**tuples)

    def _options(
        self,
        key_path: str,
        cls: type,
        options: Mapping[str, Any],
        nested: frozenset[str] = frozenset(),
        later: frozenset[str] = frozenset(),
    ) -> None:
        """Check options.

        Args:
            key_path: prefix of the key in messages.
            cls: the class that takes the options.
            options: the options.
            nested: those from the table `options` of an entry.
            later: those that may be missing.
        """
        try:
            mistakes = self.catalog.mistakes(cls, options)
        except (ValueError, TypeError) as error:
            self.mistakes.append(f"{key_path.rstrip('.')}: {error}")
            return
        for where, mistake in mistakes:
            if where in later and mistake == "is missing":
                continue
            inside = "options." if re.split(r"[.\[]", where)[0] in nested else ""
            self.mistakes.append(f"{key_path}{inside}{where}: {mistake}")

    def _check_meters(self, measure: Measure) -> None:
        for number, name in enumerate(measure.meters, 1):
            try:
                self.catalog.find("meters", name)
            except PluginError as error:
                self.mistakes.append(f"measure.meters[{number}]: {error}")

    def _online(self, table: Mapping[str, Any]) -> bool:
        online = table.get("online", False)
        if not isinstance(online, bool):
            self.mistakes.append(f"online: must be true or false, got {online!r}")
        return bool(online)

    def _seeds(self, table: Mapping[str, Any]) -> tuple[int, ...]:
        seeds = table.get("seeds", [0, 1, 2, 3, 4])
        whole = isinstance(seeds, list) and all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
        if not whole or not seeds:
            self.mistakes.append("seeds: must be a list of whole numbers from 0, such as [0, 1, 2]")
            return ()
        if len(seeds) > MAX_SIZE:
            self.mistakes.append(f"seeds: {len(seeds):,} seeds, but at most {MAX_SIZE:,} are allowed")
            return ()
        repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if repeated:
            self.mistakes.append(f"seeds: {repeated[0]} occurs twice; a repeated seed is the same trial")
        if type(table.get("split_seed", 0)) is not int or table.get("split_seed", 0) < 0:
            self.mistakes.append("split_seed: must be a whole number from 0")
        return tuple(seeds)

    # -- entries ----------------------------------------------------------------------------------------------------

    def _entries(self, table: Mapping[str, Any], key: str, *, needed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every entry of a kind with its key for messages."""
        entries = table.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.mistakes.append(f"{key}: must be a list of tables; write each as [[{key}]]")
            return
        if len(entries) > MAX_ENTRIES:
            self.mistakes.append(f"{key}: {len(entries):,} entries, but at most {MAX_ENTRIES} are allowed")
            return
        if needed and not entries:
            self.mistakes.append(f"{key}: at least one [[{key}]] is needed")
        for number, entry in enumerate(entries, 1):
            yield f"{key}[{number}]", entry

    def _choice(self, key_path: str, kind: str, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Check the name, label and options of an entry; options may be in a table `options` or in the entry itself."""
        key = key_path.partition("[")[0]
        use, label = entry.get("use"), entry.get("label", entry.get("use"))
        if not isinstance(use, str):
            self.mistakes.append(f"{key_path}.use: {'is missing' if use is None else 'must be a name'}")
            return None
        if not isinstance(label, str) or not NAME.fullmatch(label):
            self.mistakes.append(f"{key_path}.label: must be {NAMES}")
            return None
        try:
            cls = self.catalog.find(kind, use)
        except PluginError as error:
            self.mistakes.append(f"{key_path}.use: {error}")
            return None
        options = entry.get("options", {})
        if not isinstance(options, dict):
            self.mistakes.append(f"{key_path}.options: must be a table")
            return None
        inline = {name: value for name, value in entry.items() if name not in _ENTRY_KEYS[key]}
        known = (*option_names(cls), *_ENTRY_KEYS[key])
        for name in [name for name in inline if name not in option_names(cls)]:
            self.mistakes.append(f"{key_path}.{shown_key(name)}: unknown key{suggestion(name, known)}")
            del inline[name]
        for name in sorted(set(inline) & set(options)):
            self.mistakes.append(f"{key_path}.{name}: is both in the entry and in its options")
        swept = entry.get("sweep") if key == "strategy" else None
        later = frozenset(swept) if isinstance(swept, dict) else frozenset()
        self._options(f"{key_path}.", cls, {**inline, **options}, nested=frozenset(options), later=later)
        return {"use": use, "label": label, "options": {**inline, **options}}

    def _names(self, key_path: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
        value = entry.get(key)
        names = [value] if isinstance(value, str) else value
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
            self.mistakes.append(f"{key_path}.{key}: must be a list of labels")
            return None
        return tuple(names)

    def _unique(self, key: str, labels: Sequence[str]) -> None:
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            self.mistakes.append(f"{key}: two entries have the label {label!r}; change one of them")

    def _backbones(self, table: Mapping[str, Any]) -> tuple[BackboneChoice, ...]:
        found = []
        for key_path, entry in self._entries(table, "backbone", needed=True):
            choice = self._choice(key_path, "backbones", entry)
            if choice:
                found.append(BackboneChoice(**choice, strategies=self._names(key_path, entry, "strategies")))
        self._unique("backbone", [choice.label for choice in found])
        return tuple(found)

    def _tasks(self, table: Mapping[str, Any], training: Training | None) -> tuple[TaskChoice, ...]:
        found = []
        for key_path, entry in self._entries(table, "task", needed=True):
            choice = self._choice(key_path, "tasks", entry)
            own = entry.get("training", {})
            if not isinstance(own, dict):
                self.mistakes.append(f"{key_path}.training: must be a table")
            else:
                self._options(f"{key_path}.training.", Training, own)
            if not isinstance(entry.get("alone", True), bool):
                self.mistakes.append(f"{key_path}.alone: must be true or false")
            if choice and isinstance(own, dict):
                names = {key: self._names(key_path, entry, key) for key in ("backbone", "strategies")}
                task = TaskChoice(
                    **choice,
                    backbones=names["backbone"],
                    strategies=names["strategies"],
                    training=own,
                    alone=entry.get("alone", True),
                    metric=self._metric(key_path, entry, choice),
                )
                found.append(task)
                if training is not None and own and not self.mistakes:
                    self.mistakes.extend(training_mistakes(task_training(training, task), f"{key_path}.training"))
        self._unique("task", [choice.label for choice in found])
        return tuple(found)

    def _metric(self, key_path: str, entry: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
        """Return the deciding metric of a task entry; empty if it names none."""
        metric = entry.get("metric", "")
        if not isinstance(metric, str) or (not metric and "metric" in entry):
            self.mistakes.append(f"{key_path}.metric: must be the name of a score, got {metric!r}")
            return ""
        if metric and (mistake := deciding_metric_mistake(metric, choice, self.catalog)):
            self.mistakes.append(f"{key_path}.metric: {mistake}")
        return metric

    def _strategies(self, table: Mapping[str, Any]) -> tuple[StrategyChoice, ...]:
        found: list[StrategyChoice] = []
        for key_path, entry in self._entries(table, "strategy", needed=True):
            choice = self._choice(key_path, "strategies", entry)
            lr = entry.get("lr")
            if lr is not None and (isinstance(lr, bool) or not isinstance(lr, int | float) or not 0 < lr < 10):
                self.mistakes.append(f"{key_path}.lr: must be a number above 0 and below 10, got {lr!r}")
            elif choice:
                cls = self.catalog.find("strategies", choice["use"])
                own, mistakes = read_own_tuning(entry, cls, choice["options"], self.catalog)
                self.mistakes.extend(f"{key_path}.{mistake}" for mistake in mistakes)
                found.extend(self._swept(key_path, entry, StrategyChoice(**choice, lr=lr, **own)))
            if len(found) > MAX_SIZE:
                self.mistakes.append(f"{key_path}.sweep: gives the suite more than {MAX_SIZE:,} strategies")
                return ()
        self._unique("strategy", [choice.label for choice in found])
        return tuple(found)

    def _swept(self, key_path: str, entry: Mapping[str, Any], choice: StrategyChoice) -> Iterator[StrategyChoice]:
        """Yield one strategy for each point of an entry's sweep."""
        sweep = entry.get("sweep", {})
        if not isinstance(sweep, dict) or not all(isinstance(values, list) and values for values in sweep.values()):
            self.mistakes.append(f"{key_path}.sweep: must be a table of option = [values]")
            return
        if not sweep:
            yield choice
            return
        if math.prod(len(values) for values in sweep.values()) > MAX_SIZE:
            self.mistakes.append(f"{key_path}.sweep: has more than {MAX_SIZE:,} points")
            return
        cls = self.catalog.find("strategies", choice.use)
        for values in itertools.product(*sweep.values()):
            point = dict(zip(sweep, values, strict=True))
            # The other options have been checked with the entry.
            swept = [
                mistake for mistake in self.catalog.mistakes(cls, {**choice.options, **point}) if mistake[0] in point
            ]
            self.mistakes.extend(f"{key_path}.sweep.{where}: {mistake}" for where, mistake in swept)
            suffix = "".join(f"-{name}{value}" for name, value in point.items())
            label = choice.label + _NOT_IN_LABELS.sub("_", suffix)
            if not NAME.fullmatch(label):
                self.mistakes.append(
                    f"{key_path}.sweep: label {label[:80]!r} is too long; write the points as separate entries"
                )
                return
            yield replace(choice, label=label, options={**choice.options, **point})

    def _sequences(self, table: Mapping[str, Any]) -> tuple[SequenceChoice, ...]:
        found = []
        for key_path, entry in self._entries(table, "sequence", needed=False):
            for key in entry:
                if key not in _ENTRY_KEYS["sequence"]:
                    hint = suggestion(key, _ENTRY_KEYS["sequence"])
                    self.mistakes.append(f"{key_path}.{shown_key(key)}: unknown key{hint}")
            label = entry.get("label")
            if not isinstance(label, str) or not NAME.fullmatch(label):
                self.mistakes.append(f"{key_path}.label: must be {NAMES}")
                continue
            tasks = self._names(key_path, entry, "tasks")
            if tasks is None or len(tasks) < 2:
                self.mistakes.append(f"{key_path}.tasks: at least two labels of [[task]] entries are needed")
                continue
            names = {key: self._names(key_path, entry, key) for key in ("backbone", "strategies")}
            found.append(SequenceChoice(label, tasks, names["backbone"], names["strategies"]))
        return tuple(found)

    # -- between entries --------------------------------------------------------------------------------------------

    def _cross_check(
        self,
        backbones: Sequence[BackboneChoice],
        tasks: Sequence[TaskChoice],
        strategies: Sequence[StrategyChoice],
        sequences: Sequence[SequenceChoice],
    ) -> None:
        """Check labels that entries use to refer to each other."""
        self._unique("task and sequence", [t.label for t in tasks] + [s.label for s in sequences])
        labels = {
            "backbone": [choice.label for choice in backbones],
            "strategies": [choice.label for choice in strategies],
            "tasks": [choice.label for choice in tasks],
        }
        attributes = {"backbone": "backbones", "strategies": "strategies", "tasks": "tasks"}
        for kind, entries in (("backbone", backbones), ("task", tasks), ("sequence", sequences)):
            for (number, entry), (key, attribute) in itertools.product(enumerate(entries, 1), attributes.items()):
                for name in getattr(entry, attribute, None) or ():
                    if name not in labels[key]:
                        hint = suggestion(name, labels[key])
                        self.mistakes.append(f"{kind}[{number}].{key}: {name!r} is not a label of this suite{hint}")
