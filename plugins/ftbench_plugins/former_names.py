"""Serve the packages here under their former top-level names, such as `ftbench_text`, for one version."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec, spec_from_loader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

PACKAGES = ("backbones", "meters", "reports", "speech", "strategies", "text", "vision")
_FORMER = {f"ftbench_{name}": f"{__package__}.{name}" for name in PACKAGES}


class _Finder(MetaPathFinder, Loader):
    """Finds `ftbench_text.pieces` and the like: the very module of the new name, so that each class exists once."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        package, _, module = fullname.partition(".")
        found = find_spec(f"{_FORMER[package]}.{module}") if module and package in _FORMER else None
        return None if found is None else spec_from_loader(fullname, self, origin=found.name)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(str(spec.origin))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the spec of the former name into the module that exists already.
        spec = module.__spec__
        if spec is not None:
            module.__spec__ = spec.loader_state


def serve(former: str) -> None:
    """Make `former`, which is being imported, another name of the package it has become, and warn about it."""
    new = _FORMER[former]
    warnings.warn(f"{former} is now {new}; the old name goes with the next version", DeprecationWarning, stacklevel=3)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    sys.modules[former] = import_module(new)
