"""Fine-tuning strategies: one file each."""

from collections.abc import Mapping

from ftbench import Strategy, hookimpl

from .adapter import Adapter
from .bitfit import BitFit
from .distillation import Distillation
from .ewc import EWC
from .frozen import Frozen
from .full import Full
from .lora import LoRA
from .none import Untrained
from .prefix import Prefix


@hookimpl
def ftbench_strategies() -> Mapping[str, type[Strategy]]:
    """Offer what this package has."""
    return {
        "none": Untrained,
        "full": Full,
        "frozen": Frozen,
        "bitfit": BitFit,
        "lora": LoRA,
        "adapter": Adapter,
        "prefix": Prefix,
        "distillation": Distillation,
        "ewc": EWC,
    }
