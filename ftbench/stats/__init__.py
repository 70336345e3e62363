"""Statistics on plain arrays: estimates, tests, corrections, ranks, Pareto fronts.

Imports only numpy and scipy, and handles arrays, not records, trials or suites. Start with `estimates`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
