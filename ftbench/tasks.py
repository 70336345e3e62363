"""What tasks build on: kinds of tasks, tables of a user's rows, splits, metrics, data checks.

Each name is imported when it is first used; `tasks.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__package__, __file__)
