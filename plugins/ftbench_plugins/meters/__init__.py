"""Meters: what is measured besides the scores."""

from collections.abc import Mapping

from ftbench import Meter, hookimpl

from .accounting import AccountingMeter
from .energy import DeviceMeter
from .latency import LatencyMeter
from .memory import MemoryMeter
from .parameters import ParameterMeter
from .time import TimeMeter


@hookimpl
def ftbench_meters() -> Mapping[str, type[Meter]]:
    """Offer the meters of this package."""
    return {
        "parameters": ParameterMeter,
        "time": TimeMeter,
        "latency": LatencyMeter,
        "memory": MemoryMeter,
        "energy": DeviceMeter,
        "accounting": AccountingMeter,
    }
