"""What meters build on: devices and their state, spans of time, the accounting of a training.

Each name is imported when it is first used; `meters.pyi` lists them.
"""

from .doors import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
