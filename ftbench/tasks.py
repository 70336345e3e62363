"""What tasks build on: kinds of tasks, tables of a user's rows, splits, metrics, data checks.

Each name is imported when it is first used; `tasks.pyi` lists them.
"""

from .doors import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
