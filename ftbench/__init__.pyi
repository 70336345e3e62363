# isort: off
# Grouped by who needs the names.

# ---- for a strategy --------------------------------------------------------------------------------------------------
from .api.strategy import About, Bench, RateRange, Strategy, Tunable
from .api.learner import Learner
from .api.loader import Loader
from .api.protocol import Training

# ---- for a backbone --------------------------------------------------------------------------------------------------
from .api.backbone import Backbone
from .api.card import POOLED, InputSpec, ModelCard, OutputType, Roles

# ---- for a task or an augmentation -----------------------------------------------------------------------------------
from .api.task import Provenance, Scored, Task
from .api.encoded import Encoded, Ragged
from .api.splits import Example, Splits
from .api.augmentation import Augmentation, FeatureAugmentation, InputAugmentation, MixingAugmentation

# ---- for a meter -----------------------------------------------------------------------------------------------------
from .api.meter import Meter, Trace, Watch
from .api.measurement import Measurement
from .api.finished_trial import FinishedTrial, Step

# ---- for a report ----------------------------------------------------------------------------------------------------
from .analysis.report import Report
from .analysis.summary import Summary

# ---- for any plugin --------------------------------------------------------------------------------------------------
from .hookspecs import hookimpl
from .suite.suite import Suite
from .suite.trial import Trial
from .records.record import Attempt, Record
from .plugins import Plugins

# ---- for a notebook --------------------------------------------------------------------------------------------------
from .notebook import load_records, run

# ---- errors ----------------------------------------------------------------------------------------------------------
from .errors import (
    Diverged,
    ExitCode,
    FtbenchError,
    NotApplicable,
    NotCached,
    NotComparable,
    NotMeasured,
    PluginError,
    RunError,
    SuiteError,
    TrialError,
    UserError,
)

__version__: str

__all__ = [
    "POOLED",
    "About",
    "Attempt",
    "Augmentation",
    "Backbone",
    "Bench",
    "Diverged",
    "Encoded",
    "Example",
    "ExitCode",
    "FeatureAugmentation",
    "FinishedTrial",
    "FtbenchError",
    "InputAugmentation",
    "InputSpec",
    "Learner",
    "Loader",
    "Measurement",
    "Meter",
    "MixingAugmentation",
    "ModelCard",
    "NotApplicable",
    "NotCached",
    "NotComparable",
    "NotMeasured",
    "OutputType",
    "PluginError",
    "Plugins",
    "Provenance",
    "Ragged",
    "RateRange",
    "Record",
    "Report",
    "Roles",
    "RunError",
    "Scored",
    "Splits",
    "Step",
    "Strategy",
    "Suite",
    "SuiteError",
    "Summary",
    "Task",
    "Trace",
    "Training",
    "Trial",
    "TrialError",
    "Tunable",
    "UserError",
    "Watch",
    "__version__",
    "hookimpl",
    "load_records",
    "run",
]
