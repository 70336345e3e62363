from .accounting import Accounting, account
from .answers import ANSWERS, POOLED, Answer
from .augmentable import Augmentable
from .augmentation import Augmentation, FeatureAugmentation, InputAugmentation, Item, MixingAugmentation, Sound
from .backbone import Backbone, Card, Learner, Reads, Roles
from .bench import Bench, Ground
from .catalog import suggestion
from .classification import ClassificationTask, DrawnClassificationTask
from .contender import Contender, LossPoint, Quantity
from .data_check import Flaw, Inspectable, Inspected, Severity, check_data
from .device import DeviceProbe, DeviceProcess, DeviceState
from .encoded import Encoded, Ragged
from .error_analysis import ClassScores, Errors
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
from .exhibits import Exhibit, Exhibits
from .fingerprint import digest, file_sha256, read_sha256, remembered
from .finished import Finished, Step
from .formatting import count, quantity
from .gpu import nvml, visible_gpus
from .hookspecs import hookimpl
from .hub import Remote, Repository, Snapshot, is_hub_id
from .leaderboard import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series
from .loading import Loader
from .measurement import Direction, Measurement, Phase, Samples, Span
from .meter import Meter, Trace, Watch
from .metrics import calibration_error, metric
from .multi_label import MultiLabelTask
from .notebook import load_records, run
from .own_classes import OwnClassification
from .own_data import OwnData
from .plugins import Plugins, Selection
from .ranking import Ranking
from .record import Attempt, Curve, Failure, Record, Retention
from .regression import RegressionTask
from .report import Report
from .roles import valued
from .splits import Example, Splits, draw
from .stats.effect_size import Effect, effect
from .stats.estimates import Difference, Estimate, Interval, Verdict, estimate, lower_bound, paired, upper_bound
from .stats.jackknife import f1, macro_f1, pseudo_values, ratio
from .stats.multiplicity import Comparison, adjusted, benjamini_hochberg, compare_all, compare_with, holm
from .stats.power import detectable, power_of, seeds_for
from .strategy import About, Strategy
from .suite import Suite, Training
from .summary import Summary, TrialLine, rows, summarise
from .tables import ListedTable, Table, as_text, list_files
from .target import Target, places_of
from .task import Provenance, Scored, Task
from .trial import Trial
from .tunable import RateRange, Tunable
from .tuned import Spent, Try, Tuned, tuning_cost, tuning_verdict
from .wording import against, percent, point_interval, score_text, share_interval, share_range, step_range, step_text, step_unit

__version__: str

__all__ = [
    "ANSWERS",
    "POOLED",
    "About",
    "Accounting",
    "Answer",
    "Attempt",
    "Augmentable",
    "Augmentation",
    "Backbone",
    "Bench",
    "Card",
    "ClassScores",
    "ClassificationTask",
    "Comparison",
    "Contender",
    "Curve",
    "DeviceProbe",
    "DeviceProcess",
    "DeviceState",
    "Difference",
    "Direction",
    "Diverged",
    "DrawnClassificationTask",
    "Effect",
    "Encoded",
    "Errors",
    "Estimate",
    "Example",
    "Exhibit",
    "Exhibits",
    "ExitCode",
    "Failure",
    "FeatureAugmentation",
    "Fingerprint",
    "Finished",
    "Flaw",
    "FtbenchError",
    "Ground",
    "Group",
    "InputAugmentation",
    "Inspectable",
    "Inspected",
    "Interval",
    "Item",
    "Leaderboard",
    "Learner",
    "ListedTable",
    "Loader",
    "LossPoint",
    "Measurement",
    "Meter",
    "MixingAugmentation",
    "MultiLabelTask",
    "NotApplicable",
    "NotCached",
    "NotComparable",
    "NotMeasured",
    "OwnClassification",
    "OwnData",
    "Phase",
    "PluginError",
    "Plugins",
    "Point",
    "Provenance",
    "PublishedRun",
    "Quantity",
    "Ragged",
    "Ranking",
    "RateRange",
    "Reads",
    "Record",
    "RegressionTask",
    "Remote",
    "Report",
    "Repository",
    "Retention",
    "Roles",
    "RunError",
    "Samples",
    "Scored",
    "Selection",
    "Series",
    "Severity",
    "Snapshot",
    "Sound",
    "Span",
    "Spent",
    "Splits",
    "Step",
    "Strategy",
    "Suite",
    "SuiteError",
    "Summary",
    "Table",
    "Target",
    "Task",
    "Trace",
    "Training",
    "Trial",
    "TrialError",
    "TrialLine",
    "Try",
    "Tunable",
    "Tuned",
    "UserError",
    "Verdict",
    "Watch",
    "__version__",
    "account",
    "adjusted",
    "against",
    "as_text",
    "benjamini_hochberg",
    "calibration_error",
    "check_data",
    "compare_all",
    "compare_with",
    "count",
    "detectable",
    "digest",
    "draw",
    "effect",
    "estimate",
    "f1",
    "file_sha256",
    "holm",
    "hookimpl",
    "is_hub_id",
    "list_files",
    "load_records",
    "lower_bound",
    "macro_f1",
    "metric",
    "nvml",
    "paired",
    "percent",
    "places_of",
    "point_interval",
    "power_of",
    "pseudo_values",
    "quantity",
    "ratio",
    "read_sha256",
    "remembered",
    "rows",
    "run",
    "score_text",
    "seeds_for",
    "share_interval",
    "share_range",
    "step_range",
    "step_text",
    "step_unit",
    "suggestion",
    "summarise",
    "tuning_cost",
    "tuning_verdict",
    "upper_bound",
    "valued",
    "visible_gpus",
]
