"""The public test kit for plugin authors: check a strategy or a meter against its contract.

May import any other part of ftbench except the command line. Start with `strategies`.
"""

from .finding import Finding
from .meters import check_meter
from .strategies import check_strategy

__all__ = ["Finding", "check_meter", "check_strategy"]
