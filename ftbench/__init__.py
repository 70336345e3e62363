"""ftbench: which fine-tuning strategy should I use, and how confident can I be?

The contracts a plugin implements, the values it is handed, the errors, and what a notebook needs; `__init__.pyi` lists
them by who needs them. What only one kind of plugin builds on is in `ftbench.tasks`, `ftbench.backbones`,
`ftbench.meters`, `ftbench.reporting`, `ftbench.stats` and `ftbench.testing`. Each name is imported when it is first
used, and none imports torch.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Return a public name, or, with a warning that says where it is now, one of an earlier version."""
    from .renamed import MOVED

    if name not in MOVED:
        return _public(name)
    import warnings
    from importlib import import_module

    place, now = MOVED[name]
    warnings.warn(
        f"ftbench.{name} is now {place}.{now}; the old name will be removed in 0.3", FutureWarning, stacklevel=2
    )
    return getattr(import_module(place), now)
