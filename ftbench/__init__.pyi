from .analysis.contender import Contender, LossPoint, Quantity
from .analysis.error_analysis import ClassScores, Errors
from .analysis.ranking import Ranking
from .analysis.report import Report
from .analysis.summary import Summary, TrialLine, rows, summarise
from .analysis.target import Target, places_of
from .analysis.tuning import Spent, Try, Tuned, tuning_cost, tuning_verdict
from .analysis.wording import against, percent, point_interval, score_text, share_interval, share_range, step_range, step_text, step_unit
from .api.augmentable import Augmentable
from .api.augmentation import Augmentation, FeatureAugmentation, InputAugmentation, Item, MixingAugmentation, Sound
from .api.backbone import Backbone
from .api.card import ANSWERS, POOLED, Answer, Card, Reads, Roles
from .api.catalog import suggestion
from .api.device import DeviceProbe, DeviceProcess, DeviceState
from .api.encoded import Encoded, Ragged
from .api.finished_trial import Finished, Step
from .api.footprint import Accounting
from .api.hub import Remote, Repository, Snapshot, is_hub_id
from .api.learner import Learner
from .api.measurement import Direction, Measurement, Phase, Samples, Span
from .api.meter import Meter, Trace, Watch
from .api.metrics import calibration_error, metric
from .api.protocol import Training
from .api.splits import Example, Splits, draw
from .api.strategy import About, RateRange, Strategy, Tunable
from .api.task import Provenance, Scored, Task
from .api.task_kinds import ClassificationTask, DrawnClassificationTask, MultiLabelTask, RegressionTask
from .data.checks import Flaw, Inspectable, Inspected, Severity, check_data
from .data.loader import Loader
from .data.previews import Exhibit, Exhibits
from .data.tables import ListedTable, Table, as_text, list_files
from .data.user_classification import OwnClassification
from .data.user_data import OwnData
from .environment import nvml, visible_gpus
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
from .fingerprint import digest, file_sha256, read_sha256, remembered
from .formatting import count, quantity
from .hookspecs import hookimpl
from .leaderboard.leaderboard import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series
from .notebook import load_records, run
from .plugins import Plugins, Selection
from .records.record import Attempt, Curve, Failure, Record, Retention
from .stats.effect_size import Effect, effect
from .stats.estimates import Difference, Estimate, Interval, Verdict, estimate, lower_bound, paired, upper_bound
from .stats.jackknife import f1, macro_f1, pseudo_values, ratio
from .stats.multiplicity import Comparison, adjusted, benjamini_hochberg, compare_all, compare_with, holm
from .stats.power import detectable, power_of, seeds_for
from .suite.suite import Suite
from .suite.trial import Trial, valued
from .training.accounting.accounting import account
from .training.bench import Bench, Ground

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
