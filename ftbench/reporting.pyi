from .analysis.contender import Contender, LossPoint, Quantity
from .analysis.error_analysis import ClassScores, Errors
from .analysis.ranking import Ranking
from .analysis.summary import TrialLine, rows, summarise
from .analysis.task_column import TaskColumn, places_of
from .analysis.tuning import Spent, Tuned, TuningTrial, tuning_cost, tuning_verdict
from .analysis.wording import (
    against,
    percent,
    point_interval,
    score_text,
    share_interval,
    share_range,
    step_range,
    step_text,
    step_unit,
)
from .data.previews import Preview, Previews
from .formatting import count, quantity
from .leaderboard.leaderboard import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series
from .leaderboard.site_report import SiteReport
from .records.record import Curve, Failure, Retention
from .suite.trial import valued

__all__ = [
    "ClassScores",
    "Contender",
    "Curve",
    "Errors",
    "Failure",
    "Fingerprint",
    "Group",
    "Leaderboard",
    "LossPoint",
    "Point",
    "Preview",
    "Previews",
    "PublishedRun",
    "Quantity",
    "Ranking",
    "Retention",
    "Series",
    "SiteReport",
    "Spent",
    "TaskColumn",
    "TrialLine",
    "Tuned",
    "TuningTrial",
    "against",
    "count",
    "percent",
    "places_of",
    "point_interval",
    "quantity",
    "rows",
    "score_text",
    "share_interval",
    "share_range",
    "step_range",
    "step_text",
    "step_unit",
    "summarise",
    "tuning_cost",
    "tuning_verdict",
    "valued",
]
