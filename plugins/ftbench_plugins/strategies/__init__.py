"""Fine-tuning strategies, one per file."""

from collections.abc import Mapping

from ftbench import Strategy, hookimpl

from .adalora import AdaLoRA
from .adapter import Adapter
from .adaptive_pretraining import AdaptivePretraining
from .bitfit import BitFit
from .combine import Combine
from .distillation import Distillation
from .ewc import EWC
from .frozen import Frozen
from .full import Full
from .gradual import Gradual
from .ia3 import IA3
from .l2sp import L2SP
from .layernorm import LayerNorm
from .layerwise import Layerwise
from .lora import LoRA
from .lpft import LinearProbeThenFull
from .none import Untrained
from .peft import Peft
from .prefix import Prefix
from .prompt import Prompt
from .replay import Replay
from .vera import VeRA


@hookimpl
def ftbench_strategies() -> Mapping[str, type[Strategy]]:
    """Offer the strategies of this package."""
    return {
        "none": Untrained,
        "full": Full,
        "frozen": Frozen,
        "gradual": Gradual,
        "layerwise": Layerwise,
        "lpft": LinearProbeThenFull,
        "l2sp": L2SP,
        "bitfit": BitFit,
        "layernorm": LayerNorm,
        "lora": LoRA,
        "vera": VeRA,
        "adalora": AdaLoRA,
        "ia3": IA3,
        "peft": Peft,
        "adapter": Adapter,
        "prefix": Prefix,
        "prompt": Prompt,
        "distillation": Distillation,
        "ewc": EWC,
        "replay": Replay,
        "combine": Combine,
        "adaptive_pretraining": AdaptivePretraining,
    }
