"""Write a suite for a user's own data: what can be seen from the data is filled in, the rest is commented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.catalog import option_names
from ..errors import UserError, suggestion
from ..fingerprint import PACKAGE
from .table_files import SUFFIXES
from .user_data import UserData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..api.catalog import Catalog

_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "emotion", "intent", "topic", "y")
USUAL = {
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
"""Option that names a column → what such columns are usually called."""


def starting_suite(catalog: Catalog, task: str, data: str, file: Path) -> str:
    """Give the text of a suite on the user's own data.

    Raises:
        UserError: the task is unknown or takes no data, the data cannot be read, or no backbone is for them.
    """
    takers = {name: cls for name, cls in catalog.offers.get("tasks", {}).items() if issubclass(cls, UserData)}
    if task not in takers:
        raise UserError(f"no task on one's own data is called {task!r}{suggestion(task, takers)}")
    options = {"data": data, **_columns(takers[task], data)}
    built = catalog.build("tasks", task, options)
    built.fingerprint()
    backbone, about = _backbone(catalog, built.modality)
    return skeleton("own-data").format(
        question="Which fine-tuning strategy for these data?",
        file=file.name,
        name=_name(file),
        backbone=backbone,
        about=about,
        task=task,
        options="\n".join(f"{name} = {_quoted(value)}" for name, value in options.items()),
    )


def _columns(cls: type[UserData], data: str) -> dict[str, Any]:
    """Guess which columns are the input and the answer, where they are not called as the task expects."""
    path = Path(data)
    if path.is_dir():
        path = next((entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in SUFFIXES), path)
    if path.is_dir() or not path.exists():
        return {}
    task = cls(data)
    columns = task.file_columns(path)
    found: dict[str, Any] = {}
    for option in [name for name in USUAL if name in option_names(cls)]:
        expected = getattr(task, option)
        several = isinstance(expected, tuple)
        if (expected[0] if several else expected) in columns:
            continue
        known = _first([column for column in columns if column not in found.values()], USUAL[option])
        if known is None:
            raise UserError(
                f"{path}: which column is the {option}? Its columns are {', '.join(columns)}; "
                f"call it {(expected[0] if several else expected)!r}, or write the suite"
            )
        found[option] = [known] if several else known
    return found


def _first(columns: Iterable[str], usual: Iterable[str]) -> str | None:
    small = {column.lower(): column for column in columns}
    return next((small[name] for name in usual if name in small), None)


def _backbone(catalog: Catalog, modality: str) -> tuple[str, str]:
    """Find a backbone of the modality that needs no options."""
    for name in sorted(catalog.offers.get("backbones", {})):
        try:
            card = catalog.build("backbones", name, {}).card()
        except UserError:
            continue
        if card.modality == modality:
            return name, card.source
    raise UserError(f"no backbone for {modality} is installed; pip install 'ftbench[embedded]'")


def _name(file: Path) -> str:
    """Make a suite's name of a file's: letters, digits and a few signs."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._")[:64] or "own-data"


def _quoted(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def templates() -> dict[str, Path]:
    """Give name → file of every suite that ships."""
    return {path.stem: path for path in sorted(_folder().glob("*.toml"))}


def skeleton(name: str) -> str:
    """Give the text of a suite whose places in braces are still to be filled in."""
    return (_folder() / "templates" / f"{name}.toml").read_text(encoding="utf-8")


def _folder() -> Path:
    own = PACKAGE / "suites"
    return own if own.is_dir() else PACKAGE.parent / "suites"
