"""Write a starting suite for a user's own data: options found from the data are set, the rest are comments."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.catalog import option_names
from ..errors import UserError, suggestion
from ..fingerprint import PACKAGE
from .checks import BALANCED_METRIC, unequal_classes
from .locations import USUAL_NAMES
from .tables import as_text
from .user_classification import UserClassification
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..api.catalog import Catalog

_COMMENT = 40
"""Column at which the comments of a generated suite begin."""
_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "emotion", "intent", "topic", "y")
_FILES = ("file_name", "filename", "fname", "filepath", "file_path")
_GROUPS = ("client_id", "speaker_id", "speaker", "patient_id", "patient")
"""Usual names of columns whose rows must stay in one split."""
_MANIFESTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "metadata.tsv")
"""Names of tables of the images or sounds of a folder."""
USUAL_COLUMNS = {
    "text": (
        *("text", "sentence", "sentence1", "review", "content", "tweet", "question", "message"),
        *("comment", "comment_text", "body", "description", "utterance", "document", "headline", "title"),
    ),
    "image": ("path", "file", "image", *_FILES, "image_path", "img_path", "img"),
    "audio": ("path", "file", "audio", *_FILES, "audio_path", "audio_file", "wav", "clip", "slice_file_name"),
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
    options = _options(user_tasks[task], data)
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


def _options(cls: type[UserData], data: str) -> dict[str, Any]:
    """Return the options that say where the data are, and what their columns are called.

    Raises:
        UserError: no column has a usual name.
    """
    place = _manifests(cls, Path(data)) or data
    task = cls(place)
    path = task.read_paths()[0]
    if path.is_dir():
        return {"data": place}
    found = {"data": place, **_columns(cls, path, task.file_columns(path))}
    columns = task.file_columns(path)
    group = next((name for name in _GROUPS if name in columns), None)
    folder = _folder_of_files(cls(**found)) if "folder" in option_names(cls) else ""
    return found | ({"folder": folder} if folder else {}) | ({"group": group} if group else {})


def _manifests(cls: type[UserData], folder: Path) -> str | dict[str, str] | None:
    """Return the table of a folder of images or sounds, or the tables of its splits; None if it has none."""
    if not cls(str(folder)).folder_files() or not folder.is_dir():
        return None
    if whole := _manifest(folder):
        return whole
    splits = {split: _manifest(folder / name) for split, names in USUAL_NAMES.items() for name in names[::-1]}
    found = {split: table for split, table in splits.items() if table}
    return found if {"train", "test"} <= found.keys() else None


def _manifest(folder: Path) -> str | None:
    return next((str(folder / name) for name in _MANIFESTS if (folder / name).is_file()), None)


def _folder_of_files(task: UserData) -> str:
    """Return the subfolder, next to the table, where the paths in it start; empty if that is the table's folder."""
    (column,) = task.inputs()
    cell = task.cells(task.named([f"{next(iter(task.tables))}-0"]))[0][column]
    file, _ = task.located(cell)
    if not isinstance(file, Path) or file.exists() or Path(as_text(cell)).is_absolute():
        return ""
    base = task.located(".")[0]
    assert isinstance(base, Path)
    folders = sorted(entry for entry in base.iterdir() if entry.is_dir())
    return next((entry.name for entry in folders if (entry / as_text(cell)).exists()), "")


def _columns(cls: type[UserData], path: Path, columns: Sequence[str]) -> dict[str, Any]:
    """Return column options for input and label columns that do not have the names the task expects.

    Raises:
        UserError: no column has a usual name.
    """
    task = cls(str(path))
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
                f"rename one to {(expected[0] if several else expected)!r}, or write the suite yourself; "
                "if the first line is a row already, name the columns there: columns = [...]"
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
    """Return a text, a list or a table in TOML."""
    import json

    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_quoted(one)}' for name, one in value.items())} }}"
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
