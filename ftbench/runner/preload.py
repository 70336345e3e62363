"""Import, once in the fork server, the slow modules that every trial needs; must not start a thread."""

import gc
import importlib
import os
import signal
import sys
from contextlib import suppress

# Ctrl-C on a terminal reaches this process too. A fork server ignores it only once these imports are done, which takes
# seconds; until then it would be killed, and the trial that waits for it could not be finished. The runner has started
# it with the signal blocked.
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

import ftbench  # noqa: E402 - the signal must be ignored first
import ftbench.backbones  # noqa: E402 - as above
import ftbench.meters  # noqa: E402 - as above
import ftbench.stats  # noqa: E402 - as above
import ftbench.tasks  # noqa: E402 - as above

from ..environment import software  # noqa: E402 - as above
from ..training.messages import spec_adapter  # noqa: E402 - as above
from .process_tree import adopt_orphans  # noqa: E402 - as above

_MODULES = (
    "peft",
    "pydantic",
    "scipy.special",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.vit.modeling_vit",
    "transformers.models.wav2vec2.modeling_wav2vec2",
    "ftbench.training.loop",
    "ftbench.training.trial",
)

# Imports leave no garbage: collecting while they run takes a fifth of the time and frees nothing.
gc.disable()

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# The runner has made sure that everything a trial reads is on this machine.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import torch  # noqa: E402 - the variables above must be set before it is imported

# Threads are not inherited by forked children: after one parallel operation here, children would wait for them forever.
torch.set_num_threads(1)

# scikit-learn imports pandas if it can, only to know its version. That takes half a second, and no trial needs it. A
# later `import pandas` works.
_without_pandas = "pandas" not in sys.modules
if _without_pandas:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # `import pandas` raises ImportError
importlib.import_module("sklearn.metrics")
if _without_pandas:
    del sys.modules["pandas"]

for _module in _MODULES:
    importlib.import_module(_module)

import transformers  # noqa: E402 - the variables above must be set before it is imported

transformers.logging.disable_progress_bar()

# Orphans of a trial that died become children of this process, where the runner finds them.
adopt_orphans()

# Public names are imported when first used; plugins use them, so import all of them here, once for all trials.
for _door in (ftbench, ftbench.backbones, ftbench.meters, ftbench.stats, ftbench.tasks):
    for _name in _door.__all__:
        getattr(_door, _name)
spec_adapter()
software()
with suppress(ImportError, AttributeError):
    # A thousand regular expressions for weight names, otherwise compiled for the first model of every process.
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("bert")

# Exclude all current objects from garbage collection: collecting them in a child would copy their memory pages.
gc.freeze()
gc.enable()
