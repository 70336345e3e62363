"""What backbones build on: repositories of the Hub and their snapshots.

Each name is imported when it is first used; `backbones.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__package__, __file__)
