"""Start commands that compute nothing faster: without numpy, and without garbage collection."""

from __future__ import annotations

import atexit
import gc
import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def light() -> Iterator[None]:
    """Run a command that only reads plugins, suites and plans.

    Most objects are modules and classes that live until the process ends: the garbage collector would scan them
    repeatedly and free nothing.
    """
    from ..records.store import collector_paused

    atexit.register(gc.freeze)  # spares the full collection at exit
    with collector_paused():
        yield


def import_when_used(name: str) -> None:
    """Make `import name` return a module that is loaded when its first attribute is read; no-op if already imported.

    Not thread-safe: two threads that read the first attribute at the same time may see a partly loaded module.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None and spec.loader is not None:
        module = sys.modules[name] = module_from_spec(spec)
        module.__class__ = _UnloadedModule


class _UnloadedModule(ModuleType):
    """A module that has only its import attributes, such as `__spec__` and `__path__`.

    `importlib.util.LazyLoader` does not work here: it loads on any attribute access, and every `import` of a module in
    `sys.modules` reads `__spec__`. `__getattr__` runs for missing attributes only.
    """

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        self.__class__ = ModuleType  # type: ignore[assignment]  # from here on an ordinary module
        spec.loader.exec_module(self)
        return getattr(self, name)
