"""The public test kit: check a strategy or a meter of your own against its contract.

Imports anything below it. Start with `strategies`.
"""

from .finding import Finding
from .meters import check_meter
from .strategies import check_strategy

__all__ = ["Finding", "check_meter", "check_strategy"]
