from .api.augmentation import Augmentable, Item, Sound
from .api.card import OUTPUT_TYPES
from .api.metrics import calibration_error, metric
from .api.splits import draw
from .api.task_kinds import ClassificationTask, DrawnClassificationTask, MultiLabelTask, RegressionTask
from .data.checks import Inspectable, Inspected, check_data
from .data.reading.text_files import opened
from .data.table_files import list_files
from .data.tables import ListedTable, Table, as_text
from .data.user_classification import UserClassification
from .data.user_data import UserData
from .records.data_check import Flaw, Severity

__all__ = [
    "OUTPUT_TYPES",
    "Augmentable",
    "ClassificationTask",
    "DrawnClassificationTask",
    "Flaw",
    "Inspectable",
    "Inspected",
    "Item",
    "ListedTable",
    "MultiLabelTask",
    "RegressionTask",
    "Severity",
    "Sound",
    "Table",
    "UserClassification",
    "UserData",
    "as_text",
    "calibration_error",
    "check_data",
    "draw",
    "list_files",
    "metric",
    "opened",
]
