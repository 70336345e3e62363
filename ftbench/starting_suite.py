"""Write a suite for a user's own data: what can be seen from the data is filled in, the rest is commented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog import option_names, suggestion
from .errors import UserError
from .own_data import OwnData
from .tables import SUFFIXES, table_columns
from .templates import skeleton

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalog import Catalog

INPUTS = ("text", "sentence", "sentence1", "review", "content", "tweet", "question", "message", "path", "file", "image", "audio")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "emotion", "intent", "topic", "y")


def starting_suite(catalog: Catalog, task: str, data: str, file: Path) -> str:
    """Give the text of a suite on the user's own data.

    Raises:
        UserError: the task is unknown or takes no data, the data cannot be read, or no backbone is for them.
    """
    takers = {name: cls for name, cls in catalog.offers.get("tasks", {}).items() if issubclass(cls, OwnData)}
    if task not in takers:
        raise UserError(f"no task on one's own data is called {task!r}{suggestion(task, takers)}")
    options = {"data": data, **_columns(takers[task], Path(data))}
    built = catalog.build("tasks", task, options)
    built.fingerprint()
    backbone, about = _backbone(catalog, built.modality)
    return skeleton("own-data").format(
        question="Which fine-tuning strategy for these data?", file=file.name, name=_name(file), backbone=backbone, about=about, task=task,
        options="\n".join(f"{name} = {_quoted(value)}" for name, value in options.items()),
    )  # fmt: skip


def _columns(cls: type, path: Path) -> dict[str, Any]:
    """Guess which columns are the input and the class, where they are not called as the task expects."""
    if path.is_dir():
        path = next((entry for entry in sorted(path.iterdir()) if entry.suffix.lower() in SUFFIXES), path)
    if path.is_dir() or not path.exists():
        return {}
    columns = table_columns(path)
    found = {}
    for option, usual in ((_input_option(cls), INPUTS), ("target", LABELS)):
        expected = getattr(cls, option)
        if expected in columns:
            continue
        known = _first(columns, usual)
        if known is None:
            raise UserError(
                f"{path}: which column is the {option}? Its columns are {', '.join(columns)}; call it {expected!r}, or write the suite"
            )
        found[option] = known
    return found


def _input_option(cls: type) -> str:
    return next(name for name in option_names(cls) if name in ("text", "image", "audio"))


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
