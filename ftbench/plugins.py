"""Find and load plugins, and call each hook through a typed method."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .api.catalog import KINDS, NAME, NAMES, Catalog
from .errors import PluginError, UserError
from .fingerprint import forget_modules

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from .records.record import Attempt, Record
    from .suite.suite import Suite
    from .suite.trial import Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Plugins to add to and to leave out of the installed ones; enough to load the same set in another process."""

    files: tuple[str, ...] = ()
    """Plugin files (`-p file.py`), or folders with an `__init__.py`."""
    without: tuple[str, ...] = ()
    """Names of entry points to leave out (`--without NAME`)."""


@dataclass
class Plugins:
    """Plugins of one run. `Plugins()` is empty; `Plugins.discover()` loads the installed plugins."""

    broken: dict[str, str] = field(default_factory=dict)
    """Plugin that failed to import → reason."""

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager("ftbench")
        self._manager.add_hookspecs(hookspecs)

    @classmethod
    def discover(cls, selection: Selection = Selection()) -> Plugins:
        """Load the entry points of the group `ftbench` and the files of `selection`.

        Raises:
            PluginError: a file cannot be loaded, a name in `without` is unknown, or a hook does not exist.
        """
        plugins = cls()
        points = {point.name: point for point in _entry_points(tuple(sys.path))}
        unknown = sorted(set(selection.without) - set(points))
        if unknown:
            raise PluginError(f"--without {unknown[0]}: no plugin has that name; known: {', '.join(sorted(points))}")
        for name, point in sorted(points.items()):
            if name in selection.without:
                continue
            try:
                plugins.register(point.load(), name)
            except Exception as error:  # noqa: BLE001 - any import error is kept and shown when needed
                plugins.broken[name] = f"{type(error).__name__}: {error}"
        for file in selection.files:
            plugins.register(_load_file(Path(file)), Path(file).name)
        return plugins

    def register(self, module: Any, name: str) -> None:
        """Register a plugin.

        Raises:
            PluginError: the plugin implements an unknown hook, or a hook with unknown arguments.
        """
        try:
            self._manager.register(module, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(module)
            raise PluginError(f"plugin {name!r}: {str(error).splitlines()[-1]}") from None

    # -- offers --------------------------------------------------------------------------------------------------------

    def catalog(self) -> Catalog:
        """Collect the offers of all plugins.

        Raises:
            PluginError: two plugins offer the same name, or an offer is not a mapping from names to classes.
        """
        offers: dict[str, dict[str, type]] = {}
        origins: dict[tuple[str, str], str] = {}
        for kind in KINDS:
            offers[kind] = {}
            for name, cls, plugin in self._offered(kind):
                if name in offers[kind]:
                    first = origins[kind, name]
                    raise PluginError(
                        f"{kind}: {name!r} is offered by both {first!r} and {plugin!r}; leave one out with --without"
                    )
                offers[kind][name] = cls
                origins[kind, name] = plugin
        return Catalog(offers, origins, dict(self.broken))

    def _offered(self, kind: str) -> Iterable[tuple[str, type, str]]:
        hook = getattr(self._manager.hook, f"ftbench_{kind}")
        for implementation in hook.get_hookimpls():
            plugin = implementation.plugin_name
            try:
                offered = implementation.function()
            except Exception as error:  # noqa: BLE001 - like an import error: kept and shown when needed
                self.broken[plugin] = f"ftbench_{kind} raised {type(error).__name__}: {error}"
                continue
            if not isinstance(offered, Mapping) or not all(isinstance(cls, type) for cls in offered.values()):
                raise PluginError(f"plugin {plugin!r}: ftbench_{kind} must return a mapping from names to classes")
            for name, cls in offered.items():
                if not isinstance(name, str) or not NAME.fullmatch(name):
                    raise PluginError(
                        f"plugin {plugin!r}: ftbench_{kind} offers {name!r:.80}, which is not a valid name: {NAMES}"
                    )
                yield name, cls, plugin

    # -- planning ------------------------------------------------------------------------------------------------------

    def trials_planned(self, suite: Suite, trials: list[Trial]) -> None:
        """Call plugins that filter, shard or reorder `trials` in place.

        Raises:
            PluginError: a plugin raised an error; the run must not start.
        """
        for implementation in reversed(self._manager.hook.ftbench_trials_planned.get_hookimpls()):
            wanted = {
                key: value for key, value in (("suite", suite), ("trials", trials)) if key in implementation.argnames
            }
            try:
                implementation.function(**wanted)
            except UserError:
                raise
            except Exception as error:
                message = f"{type(error).__name__}: {error}"
                raise PluginError(
                    f"plugin {implementation.plugin_name!r} raised in ftbench_trials_planned: {message}"
                ) from error

    # -- observing -----------------------------------------------------------------------------------------------------

    def suite_started(self, suite: Suite, trials: list[Trial]) -> None:
        """Notify plugins that the first trial is about to start."""
        self._observe("ftbench_suite_started", suite=suite, trials=trials)

    def trials_added(self, suite: Suite, trials: list[Trial]) -> None:
        """Notify plugins that trials were added."""
        self._observe("ftbench_trials_added", suite=suite, trials=trials)

    def trial_started(self, trial: Trial) -> None:
        """Notify plugins that a trial starts."""
        self._observe("ftbench_trial_started", trial=trial)

    def step_finished(self, trial: Trial, step: int, steps: int, loss: float) -> None:
        """Notify plugins of a trial's progress."""
        self._observe("ftbench_step_finished", trial=trial, step=step, steps=steps, loss=loss)

    def trial_retried(self, trial: Trial, attempt: Attempt) -> None:
        """Notify plugins that a trial is retried."""
        self._observe("ftbench_trial_retried", trial=trial, attempt=attempt)

    def run_interrupted(self, trials: list[Trial], *, immediate: bool) -> None:
        """Notify plugins that the user interrupted the run while `trials` are running."""
        self._observe("ftbench_run_interrupted", trials=trials, immediate=immediate)

    def trial_finished(self, trial: Trial, record: Record) -> None:
        """Notify plugins that a record has been written."""
        self._observe("ftbench_trial_finished", trial=trial, record=record)

    def suite_finished(self, suite: Suite, records: list[Record]) -> None:
        """Notify plugins that the run has ended."""
        self._observe("ftbench_suite_finished", suite=suite, records=records)

    def _observe(self, name: str, **arguments: Any) -> None:
        for implementation in getattr(self._manager.hook, name).get_hookimpls():
            wanted = {key: arguments[key] for key in implementation.argnames if key in arguments}
            try:
                implementation.function(**wanted)
            except Exception:
                log.exception("plugin %r raised in %s; the run continues", implementation.plugin_name, name)


@cache
def _entry_points(path: tuple[str, ...]) -> metadata.EntryPoints:
    """Return the entry points on a search path; cached, so that forked trials inherit them."""
    del path
    return metadata.entry_points(group="ftbench")


def _load_file(path: Path) -> ModuleType:
    if path.is_dir():
        file, inside = path / "__init__.py", [str(path)]
    else:
        file, inside = path, None
    if not file.is_file():
        raise PluginError(
            f"-p {path}: no such file" if inside is None else f"-p {path}: a folder without __init__.py is not a plugin"
        )
    name = f"ftbench_file_{path.stem}"
    forget(name)
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise PluginError(f"-p {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Register before executing, because dataclasses look up their module by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        forget(name)
        raise PluginError(f"-p {path}: cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def forget(name: str) -> None:
    """Remove a plugin's modules from this process, so that another version can be loaded under the same names."""
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]
    importlib.invalidate_caches()
    forget_modules()
