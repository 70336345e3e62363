"""What backbones build on: repositories of the Hub and their snapshots.

Each name is imported when it is first used; `backbones.pyi` lists them.
"""

from .doors import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
