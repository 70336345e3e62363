"""ftbench: which fine-tuning strategy should I take, and how sure can I be?

Everything a plugin or a notebook needs is here, listed in `__init__.pyi`; each name is imported when it is asked for, so that commands
which need little start at once. Importing any of it imports no torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
