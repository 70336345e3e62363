"""Imported once by the process that trials are forked from: the slow imports, and nothing that starts a thread."""

import gc
import os
from contextlib import suppress

# Nothing of what is imported is ever garbage: looking for some again and again takes a fifth of the time.
gc.disable()

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Whatever a trial reads is on this machine: the runner has seen to that.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch  # noqa: E402 - what is set above must be so before it is imported

# One parallel operation here would leave children waiting for threads they did not inherit.
torch.set_num_threads(1)

import ftbench  # noqa: E402
import peft  # noqa: E402, F401 - kept warm for the children
import pydantic  # noqa: E402, F401
import scipy.special  # noqa: E402, F401
import sklearn.metrics  # noqa: E402, F401
import transformers  # noqa: E402
from transformers.models.auto import modeling_auto, tokenization_auto  # noqa: E402, F401
from transformers.models.bert import modeling_bert  # noqa: E402, F401
from transformers.models.vit import modeling_vit  # noqa: E402, F401
from transformers.models.wav2vec2 import modeling_wav2vec2  # noqa: E402, F401

from ..environment import software  # noqa: E402
from ..training import loop as training  # noqa: E402, F401
from ..training import trial as execution  # noqa: E402, F401
from ..training.messages import spec_adapter  # noqa: E402
from .process_tree import adopt_orphans  # noqa: E402

# What a trial that died has left behind comes here, where the runner finds it.
adopt_orphans()

transformers.logging.disable_progress_bar()

# What plugins ask for by its name is imported when it is asked for, here once for all trials.
for name in ftbench.__all__:
    getattr(ftbench, name)
spec_adapter()
software()
with suppress(ImportError, AttributeError):
    # A thousand patterns of names of weights, compiled at a process's first model.
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("bert")

# What is there by now stays: a collection in a child would only copy the pages it lies on.
gc.freeze()
gc.enable()
