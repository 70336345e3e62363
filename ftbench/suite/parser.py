"""TOML → Suite, every mistake of the file reported at once, each with its place."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api.catalog import NAME, NAMES, Catalog, option_names
from ..api.protocol import Training
from ..errors import PluginError, SuiteError, suggestion
from .suite import (
    BackboneChoice,
    Cost,
    Gate,
    Limits,
    Machine,
    Measure,
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

MOST_ENTRIES, MOST = 200, 1000
"""Entries of a kind; seeds, points of a sweep, and strategies with their sweeps a suite may have."""
_UNNAMED = re.compile(r"[^A-Za-z0-9._-]+")

_ENTRY_KEYS = {
    "backbone": ("use", "label", "options", "strategies"),
    "task": ("use", "label", "options", "backbone", "strategies", "training", "alone"),
    "strategy": ("use", "label", "options", "lr", "sweep", "space", "tries", "seconds"),
    "sequence": ("label", "tasks", "backbone", "strategies"),
}
_TABLES = {table.__name__.lower(): table for table in (Training, Machine, Limits, Measure, Cost, Statistics, Gate)}
_TOP = ("schema", "name", "seeds", "split_seed", "online", "profile", "tuning", *_TABLES, *_ENTRY_KEYS)


def read_suite(path: Path, catalog: Catalog) -> Suite:
    """Read a suite file.

    Raises:
        SuiteError: with one line for every mistake, each naming the file and the key.
    """
    return parse_suite(read_table(path), catalog, str(path))


def parse_suite(table: Mapping[str, Any], catalog: Catalog, source: str = "suite") -> Suite:
    """Check a parsed TOML table against the catalog; see `read_suite`."""
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
    """Collects mistakes while it builds; what it cannot build it leaves out."""

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
            backbones,
            tasks,
            strategies,
            sequences,
            split_seed=table.get("split_seed", 0),
            online=online,
            profile=profile,
            tuning=tuning,
            **parts,
        )

    # -- tables ----------------------------------------------------------------------------------------------------------

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
        place: str,
        cls: type,
        options: Mapping[str, Any],
        nested: frozenset[str] = frozenset(),
        later: frozenset[str] = frozenset(),
    ) -> None:
        """Check options; those named in `nested` stand in a table `options` of their own, those in `later` may be missing."""
        try:
            mistakes = self.catalog.mistakes(cls, options)
        except (ValueError, TypeError) as error:
            self.mistakes.append(f"{place.rstrip('.')}: {error}")
            return
        for where, mistake in mistakes:
            if where in later and mistake == "is missing":
                continue
            inside = "options." if re.split(r"[.\[]", where)[0] in nested else ""
            self.mistakes.append(f"{place}{inside}{where}: {mistake}")

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
        if len(seeds) > MOST:
            self.mistakes.append(f"seeds: {len(seeds):,} are more than {MOST:,}")
            return ()
        repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if repeated:
            self.mistakes.append(f"seeds: {repeated[0]} stands twice; a repeated seed is the same trial")
        if type(table.get("split_seed", 0)) is not int or table.get("split_seed", 0) < 0:
            self.mistakes.append("split_seed: must be a whole number from 0")
        return tuple(seeds)

    # -- entries ---------------------------------------------------------------------------------------------------------

    def _entries(self, table: Mapping[str, Any], key: str, *, needed: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        entries = table.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.mistakes.append(f"{key}: must be tables, each begun with [[{key}]]")
            return
        if len(entries) > MOST_ENTRIES:
            self.mistakes.append(f"{key}: {len(entries):,} entries are more than {MOST_ENTRIES}")
            return
        if needed and not entries:
            self.mistakes.append(f"{key}: at least one [[{key}]] is needed")
        for number, entry in enumerate(entries, 1):
            yield f"{key}[{number}]", entry

    def _choice(self, place: str, kind: str, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Check name, label and options of an entry; options may stand in the entry itself."""
        key = place.partition("[")[0]
        use, label = entry.get("use"), entry.get("label", entry.get("use"))
        if not isinstance(use, str):
            self.mistakes.append(f"{place}.use: {'is missing' if use is None else 'must be a name'}")
            return None
        if not isinstance(label, str) or not NAME.fullmatch(label):
            self.mistakes.append(f"{place}.label: must be {NAMES}")
            return None
        try:
            cls = self.catalog.find(kind, use)
        except PluginError as error:
            self.mistakes.append(f"{place}.use: {error}")
            return None
        options = entry.get("options", {})
        if not isinstance(options, dict):
            self.mistakes.append(f"{place}.options: must be a table")
            return None
        inline = {name: value for name, value in entry.items() if name not in _ENTRY_KEYS[key]}
        known = (*option_names(cls), *_ENTRY_KEYS[key])
        for name in [name for name in inline if name not in option_names(cls)]:
            self.mistakes.append(f"{place}.{shown_key(name)}: unknown key{suggestion(name, known)}")
            del inline[name]
        for name in sorted(set(inline) & set(options)):
            self.mistakes.append(f"{place}.{name}: stands in the entry and in its options")
        swept = entry.get("sweep") if key == "strategy" else None
        later = frozenset(swept) if isinstance(swept, dict) else frozenset()
        self._options(f"{place}.", cls, {**inline, **options}, nested=frozenset(options), later=later)
        return {"use": use, "label": label, "options": {**inline, **options}}

    def _names(self, place: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
        value = entry.get(key)
        names = [value] if isinstance(value, str) else value
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
            self.mistakes.append(f"{place}.{key}: must be a list of labels")
            return None
        return tuple(names)

    def _unique(self, key: str, labels: Sequence[str]) -> None:
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            self.mistakes.append(f"{key}: two entries are labelled {label!r}; give one another label")

    def _backbones(self, table: Mapping[str, Any]) -> tuple[BackboneChoice, ...]:
        found = []
        for place, entry in self._entries(table, "backbone", needed=True):
            choice = self._choice(place, "backbones", entry)
            if choice:
                found.append(BackboneChoice(**choice, strategies=self._names(place, entry, "strategies")))
        self._unique("backbone", [choice.label for choice in found])
        return tuple(found)

    def _tasks(self, table: Mapping[str, Any], training: Training | None) -> tuple[TaskChoice, ...]:
        found = []
        for place, entry in self._entries(table, "task", needed=True):
            choice = self._choice(place, "tasks", entry)
            own = entry.get("training", {})
            if not isinstance(own, dict):
                self.mistakes.append(f"{place}.training: must be a table")
            else:
                self._options(f"{place}.training.", Training, own)
            if not isinstance(entry.get("alone", True), bool):
                self.mistakes.append(f"{place}.alone: must be true or false")
            if choice and isinstance(own, dict):
                names = {key: self._names(place, entry, key) for key in ("backbone", "strategies")}
                task = TaskChoice(
                    **choice,
                    backbones=names["backbone"],
                    strategies=names["strategies"],
                    training=own,
                    alone=entry.get("alone", True),
                )
                found.append(task)
                if training is not None and own and not self.mistakes:
                    self.mistakes.extend(training_mistakes(task_training(training, task), f"{place}.training"))
        self._unique("task", [choice.label for choice in found])
        return tuple(found)

    def _strategies(self, table: Mapping[str, Any]) -> tuple[StrategyChoice, ...]:
        found: list[StrategyChoice] = []
        for place, entry in self._entries(table, "strategy", needed=True):
            choice = self._choice(place, "strategies", entry)
            lr = entry.get("lr")
            if lr is not None and (isinstance(lr, bool) or not isinstance(lr, int | float) or not 0 < lr < 10):
                self.mistakes.append(f"{place}.lr: must be a number above 0 and below 10, got {lr!r}")
            elif choice:
                cls = self.catalog.find("strategies", choice["use"])
                own, mistakes = read_own_tuning(entry, cls, choice["options"], self.catalog)
                self.mistakes.extend(f"{place}.{mistake}" for mistake in mistakes)
                found.extend(self._swept(place, entry, StrategyChoice(**choice, lr=lr, **own)))
            if len(found) > MOST:
                self.mistakes.append(f"{place}.sweep: makes more than {MOST:,} strategies of the suite")
                return ()
        self._unique("strategy", [choice.label for choice in found])
        return tuple(found)

    def _swept(self, place: str, entry: Mapping[str, Any], choice: StrategyChoice) -> Iterator[StrategyChoice]:
        sweep = entry.get("sweep", {})
        if not isinstance(sweep, dict) or not all(isinstance(values, list) and values for values in sweep.values()):
            self.mistakes.append(f"{place}.sweep: must be a table of option = [values]")
            return
        if not sweep:
            yield choice
            return
        if math.prod(len(values) for values in sweep.values()) > MOST:
            self.mistakes.append(f"{place}.sweep: has more than {MOST:,} points")
            return
        cls = self.catalog.find("strategies", choice.use)
        for values in itertools.product(*sweep.values()):
            point = dict(zip(sweep, values, strict=True))
            # The other options were checked where they stand.
            swept = [
                mistake for mistake in self.catalog.mistakes(cls, {**choice.options, **point}) if mistake[0] in point
            ]
            self.mistakes.extend(f"{place}.sweep.{where}: {mistake}" for where, mistake in swept)
            suffix = "".join(f"-{name}{value}" for name, value in point.items())
            label = choice.label + _UNNAMED.sub("_", suffix)
            if not NAME.fullmatch(label):
                self.mistakes.append(
                    f"{place}.sweep: {label[:80]!r} is too long; list the points as entries with labels of their own"
                )
                return
            yield replace(choice, label=label, options={**choice.options, **point})

    def _sequences(self, table: Mapping[str, Any]) -> tuple[SequenceChoice, ...]:
        found = []
        for place, entry in self._entries(table, "sequence", needed=False):
            for key in entry:
                if key not in _ENTRY_KEYS["sequence"]:
                    self.mistakes.append(
                        f"{place}.{shown_key(key)}: unknown key{suggestion(key, _ENTRY_KEYS['sequence'])}"
                    )
            label = entry.get("label")
            if not isinstance(label, str) or not NAME.fullmatch(label):
                self.mistakes.append(f"{place}.label: must be {NAMES}")
                continue
            tasks = self._names(place, entry, "tasks")
            if tasks is None or len(tasks) < 2:
                self.mistakes.append(f"{place}.tasks: at least two labels of [[task]] entries are needed")
                continue
            names = {key: self._names(place, entry, key) for key in ("backbone", "strategies")}
            found.append(SequenceChoice(label, tasks, names["backbone"], names["strategies"]))
        return tuple(found)

    # -- between entries -------------------------------------------------------------------------------------------------

    def _cross_check(
        self,
        backbones: Sequence[BackboneChoice],
        tasks: Sequence[TaskChoice],
        strategies: Sequence[StrategyChoice],
        sequences: Sequence[SequenceChoice],
    ) -> None:
        self._unique("task and sequence", [t.label for t in tasks] + [s.label for s in sequences])
        labels = {
            "backbone": [choice.label for choice in backbones],
            "strategies": [choice.label for choice in strategies],
            "tasks": [choice.label for choice in tasks],
        }
        for kind, entries in (("backbone", backbones), ("task", tasks), ("sequence", sequences)):
            for number, entry in enumerate(entries, 1):
                for key, attribute in (("backbone", "backbones"), ("strategies", "strategies"), ("tasks", "tasks")):
                    for name in getattr(entry, attribute, None) or ():
                        if name not in labels[key]:
                            self.mistakes.append(
                                f"{kind}[{number}].{key}: {name!r} is no label of this suite{suggestion(name, labels[key])}"
                            )
