"""What reports build on: the parts of a summary and of a leaderboard, and how their numbers are written.

Each name is imported when it is first used; `reporting.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__package__, __file__)
