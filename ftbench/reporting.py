"""What reports build on: the parts of a summary and of a leaderboard, and how their numbers are written.

Each name is imported when it is first used; `reporting.pyi` lists them.
"""

from .doors import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
