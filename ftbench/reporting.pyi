from .analysis.answer import PREFERENCES, Answer, choose
from .analysis.answer_rows import (
    SIGNS,
    AnswerRow,
    AnswerTable,
    answer_on,
    answer_table,
    interval_shown,
    lost_trials,
    mark_of,
    word_against,
)
from .analysis.contender import Contender, LearningSign, LossPoint, Quantity
from .analysis.errors.error_analysis import ClassScores, Errors
from .analysis.ranking import Ranking
from .analysis.summary import TrialLine, rows, summarise
from .analysis.task_column import TaskColumn, places_of
from .analysis.tuning.tuned import Spent, Tuned, TuningTrial, tuning_cost, tuning_verdict
from .analysis.wording import (
    against,
    data_counts,
    data_errors,
    percent,
    plus_minus,
    point_interval,
    score_text,
    share_interval,
    share_range,
    step_range,
    step_text,
    step_unit,
)
from .api.strategy import FAMILIES, Family
from .data.previews import Preview, Previews
from .formatting import collapsed, count, quantity, unmentioned, visible
from .leaderboard.leaderboard import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series
from .leaderboard.site_report import SiteReport
from .records.data_check import Flaw, TaskFlaws
from .records.record import Curve, Failure, Retention
from .suite.suite import Preference
from .suite.trial import valued

__all__ = [
    "FAMILIES",
    "PREFERENCES",
    "SIGNS",
    "Answer",
    "AnswerRow",
    "AnswerTable",
    "ClassScores",
    "Contender",
    "Curve",
    "Errors",
    "Failure",
    "Family",
    "Fingerprint",
    "Flaw",
    "Group",
    "Leaderboard",
    "LearningSign",
    "LossPoint",
    "Point",
    "Preference",
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
    "TaskFlaws",
    "TrialLine",
    "Tuned",
    "TuningTrial",
    "against",
    "answer_on",
    "answer_table",
    "choose",
    "collapsed",
    "count",
    "data_counts",
    "data_errors",
    "interval_shown",
    "lost_trials",
    "mark_of",
    "percent",
    "places_of",
    "plus_minus",
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
    "unmentioned",
    "valued",
    "visible",
    "word_against",
]
