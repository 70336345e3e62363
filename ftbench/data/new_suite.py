"""Write a starting suite for a user's own data: options found from the data are set, the rest are comments."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.catalog import option_names
from ..errors import UserError, suggestion
from ..fingerprint import PACKAGE
from .checks import BALANCED_METRIC, unequal_classes
from .table_files import SUFFIXES
from .user_classification import UserClassification
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..api.catalog import Catalog

_COMMENT = 40
"""Column at which the comments of a generated suite begin."""
_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "emotion", "intent", "topic", "y")
USUAL_COLUMNS = {
    "text": ("text", "sentence", "sentence1", "review", "content", "tweet", "question", "message"),
    "image": ("path", "file", "image"),
    "audio": ("path", "file", "audio"),
    "tokens": ("tokens", "words"),
    "question": ("question", "query"),
    "context": ("context", "passage", "paragraph"),
    "choices": ("choices", "options", "endings"),
    "target": (
        *_LABELS,
        "tags",
        "ner_tags",
        "answers",
        "answer",
        "answerKey",
        "score",
        "similarity",
        "transcript",
        "transcription",
        "sentence",
    ),
}
"""Option for a column name → usual names of such columns."""


def starting_suite(catalog: Catalog, task: str, data: str, file: Path) -> str:
    """Return the text of a suite for the user's own data.

    Raises:
        UserError: the task is unknown or takes no data, the data cannot be read, or no backbone fits.
    """
    user_tasks = {name: cls for name, cls in catalog.offers.get("tasks", {}).items() if issubclass(cls, UserData)}
    if task not in user_tasks:
        raise UserError(f"no task for user data is called {task!r}{suggestion(task, user_tasks)}")
    options = {"data": data, **_columns(user_tasks[task], data)}
    built = catalog.build("tasks", task, options)
    built.fingerprint()
    backbone, about = _backbone(catalog, built.modality)
    return skeleton("own-data").format(
        question="Which fine-tuning strategy should I use for this data?",
        file=file.name,
        name=_name(file),
        backbone=backbone,
        about=about,
        task=task,
        options="\n".join(f"{name} = {_quoted(value)}" for name, value in options.items()),
        metric=_metric(built),
    )


def _metric(task: UserData) -> str:
    """Return the line of the deciding metric: set if the classes are very unequal, otherwise a comment."""
    if ends := _unequal_classes(task):
        return (
            f'metric = "{BALANCED_METRIC}"'.ljust(_COMMENT) + f"# not accuracy: {' and '.join(ends)} training examples"
        )
    others = [name for name in task.metric_names() if name != task.primary]
    example = BALANCED_METRIC if BALANCED_METRIC in others else next(iter(others), "loss")
    return f'# metric = "{example}"'.ljust(_COMMENT) + f"# the score that decides instead of {task.primary}"


def _unequal_classes(task: UserData) -> tuple[str, ...]:
    """Return the largest and the smallest class if `ftbench data check` reports them as very different."""
    if not isinstance(task, UserClassification):
        return ()
    # Data that cannot be divided are reported by `ftbench validate` and `ftbench run`.
    with suppress(UserError):
        return unequal_classes(task, task.splits(0))
    return ()


def _columns(cls: type[UserData], data: str) -> dict[str, Any]:
    """Return column options for input and label columns that do not have the names the task expects.

    Raises:
        UserError: no column has a usual name.
    """
    path = Path(data)
    if path.is_dir():
        path = next((entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in SUFFIXES), path)
    if path.is_dir() or not path.exists():
        return {}
    task = cls(data)
    columns = task.file_columns(path)
    found: dict[str, Any] = {}
    for option in [name for name in USUAL_COLUMNS if name in option_names(cls)]:
        expected = getattr(task, option)
        several = isinstance(expected, tuple)
        if (expected[0] if several else expected) in columns:
            continue
        match = _first_match([column for column in columns if column not in found.values()], USUAL_COLUMNS[option])
        if match is None:
            raise UserError(
                f"{path}: no column looks like the {option}; its columns are {', '.join(columns)}; "
                f"rename one to {(expected[0] if several else expected)!r}, or write the suite yourself"
            )
        found[option] = [match] if several else match
    return found


def _first_match(columns: Iterable[str], usual: Iterable[str]) -> str | None:
    lower_case = {column.lower(): column for column in columns}
    return next((lower_case[name] for name in usual if name in lower_case), None)


def _backbone(catalog: Catalog, modality: str) -> tuple[str, str]:
    """Return name and source of a backbone of the modality that needs no options.

    Raises:
        UserError: none is installed.
    """
    for name in sorted(catalog.offers.get("backbones", {})):
        try:
            card = catalog.build("backbones", name, {}).card()
        except UserError:
            continue
        if card.modality == modality:
            return name, card.source
    raise UserError(f"no backbone for {modality} is installed; pip install 'ftbench[embedded]'")


def _name(file: Path) -> str:
    """Return a valid suite name from a file name."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:64] or "own-data"


def _quoted(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def templates() -> dict[str, Path]:
    """Return name → file of every suite that ships with ftbench."""
    return {path.stem: path for path in sorted(_folder().glob("*.toml"))}


def skeleton(name: str) -> str:
    """Return the text of a suite template with placeholders in braces."""
    return (_folder() / "templates" / f"{name}.toml").read_text(encoding="utf-8")


def _folder() -> Path:
    own = PACKAGE / "suites"
    return own if own.is_dir() else PACKAGE.parent / "suites"
