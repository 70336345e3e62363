"""What meters build on: devices and their state, spans of time, the accounting of a training.

Each name is imported when it is first used; `meters.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__package__, __file__)
