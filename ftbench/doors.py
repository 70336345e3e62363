"""Import the names of a public module when they are first used, as its stub lists them.

lazy_loader does this for packages; it would cache the names of other packages on `ftbench` itself.
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def attach(module: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for a module with a stub next to it.

    Args:
        module: its `__name__`.
        file: its `__file__`.
    """
    package = module.rpartition(".")[0]
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    places = {alias.name: f"{package}.{node.module}" for node in imports for alias in node.names}
    names = sorted(places)

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found = getattr(import_module(places[name]), name)
        setattr(sys.modules[module], name, found)
        return found

    return get, names.copy, names
