"""Write a suite for a user's own data: what can be seen from the data is filled in, the rest is commented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .catalog import option_names, suggestion
from .errors import UserError
from .own_data import OwnData
from .tables import SUFFIXES, table_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalog import Catalog

INPUTS = ("text", "sentence", "sentence1", "review", "content", "tweet", "question", "message", "path", "file", "image", "audio")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "emotion", "intent", "topic", "y")

TEMPLATE = """\
# {question} Written by `ftbench new suite`; `ftbench validate {file}` checks it, `ftbench run {file}` runs it.
name = "{name}"
seeds = [0, 1, 2]                       # every strategy is trained once for each; five or more tell small differences apart

[training]                              # one protocol for all strategies
epochs = 3
batch_size = 16
lr = "auto"                             # each strategy's published default for the backbone

[[backbone]]
use = "{backbone}"                      # {about}
# use = "transformers"                  # or any model directory written by save_pretrained
# path = "my-model"

[[task]]
use = "{task}"
{options}
# limit = 0.1                           # a share of every split, for a dry run
# group = "speaker"                     # a column of what must stay in one split
# ratios = [0.7, 0.15, 0.15]            # training, validation and test, where the data do not come divided

[[strategy]]
use = "full"

[[strategy]]
use = "lora"

[[strategy]]
use = "adapter"

[[strategy]]
use = "bitfit"

[[strategy]]
use = "frozen"

[[strategy]]
use = "none"                            # the untrained model: what a guess is worth
"""


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
    return TEMPLATE.format(
        question="Which fine-tuning strategy for these data?", file=file.name, name=file.stem, backbone=backbone, about=about, task=task,
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


def _quoted(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
