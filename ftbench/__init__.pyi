# ---- for a strategy ------------------------------------------------------------------------------------------------
# ---- for a report --------------------------------------------------------------------------------------------------
from .analysis.report import Report
from .analysis.summary import Summary

# ---- for a task or an augmentation ---------------------------------------------------------------------------------
from .api.augmentation import Augmentation, FeatureAugmentation, InputAugmentation, MixingAugmentation

# ---- for a backbone ------------------------------------------------------------------------------------------------
from .api.backbone import Backbone
from .api.card import POOLED, InputSpec, ModelCard, OutputType, Roles
from .api.encoded import Encoded, Ragged

# ---- for a meter ---------------------------------------------------------------------------------------------------
from .api.finished_trial import FinishedTrial, Step
from .api.learner import Learner
from .api.loader import Loader
from .api.measurement import Measurement
from .api.meter import Meter, Trace, Watch
from .api.protocol import Training
from .api.splits import Example, Splits
from .api.strategy import About, Bench, RateRange, Strategy, Tunable
from .api.task import Provenance, Scored, Task

# ---- errors --------------------------------------------------------------------------------------------------------
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

# ---- for any plugin ------------------------------------------------------------------------------------------------
from .hookspecs import hookimpl

# ---- for a notebook ------------------------------------------------------------------------------------------------
from .notebook import load_records, run
from .plugins import Plugins
from .records.record import Attempt, Record
from .suite.suite import Suite
from .suite.trial import Trial

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
