"""Statistics on plain arrays: estimates, tests, corrections, ranks, fronts.

Imports numpy and scipy, `formatting` and `errors`; knows nothing of records, trials or suites. Start with `estimates`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
