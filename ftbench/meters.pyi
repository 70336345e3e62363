from .api.device import DeviceProbe, DeviceProcess, DeviceState
from .api.footprint import Accounting
from .api.measurement import Direction, Phase, Samples, Span
from .environment import nvml, visible_gpus
from .training.accounting.accounting import account
from .training.bench import StageData

__all__ = [
    "Accounting",
    "DeviceProbe",
    "DeviceProcess",
    "DeviceState",
    "Direction",
    "Phase",
    "Samples",
    "Span",
    "StageData",
    "account",
    "nvml",
    "visible_gpus",
]
