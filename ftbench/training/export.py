"""Give a trial's model away: train it again, see that it answers as the record says, and write it for transformers or peft."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UserError
from ..fingerprint import cache_folder
from ..records.predictions import PREDICTIONS
from ..records.store import find_records, read_record
from .messages import Spec
from .trial import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.catalog import Catalog
    from ..api.learner import Learner
    from ..api.strategy import Strategy
    from ..records.record import Record


AUTO = {"tags": "TokenClassification", "span": "QuestionAnswering", "choice": "MultipleChoice", "transcript": "CTC"}
"""Answer → what transformers calls its models, where the modality does not decide."""
PROBLEMS = {"labels": "multi_label_classification", "number": "regression"}
"""Answer → what transformers calls the problem."""
CARD = """\
---
tags: [ftbench]
---
# {target}: {strategy} on {backbone}

{what}, trained by ftbench {version}: seed {seed}, trial `{id}`.

| | |
|---|---|
| classes | {classes} |
{scores}

The model was trained again to be written, and {same}.
Backbone: {source} ({licence}). Data: {data}.
{use}"""
USE = """
```python
from transformers import AutoModelFor{auto}

model = AutoModelFor{auto}.from_pretrained("{folder}")
```
"""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    folder: Path
    """The model directory."""
    record: Record
    """The trial it is of."""
    same: bool
    """Whether it answers every test example as the record says, to the last digit that is kept."""


def export(run: Path, trial: str, folder: Path, catalog: Catalog, *, adapter: bool) -> Exported:
    """Write the model of a trial.

    Args:
        run: the run directory.
        trial: beginning of the trial's id.
        folder: written to; must be new or empty.
        catalog: what the plugins offer; the same code must be there as when the trial ran.
        adapter: write what was trained beside the backbone, for peft, rather than the whole model, for transformers.

    Raises:
        UserError: the folder is in use, or what was trained does not fit the format.
        RunError: there is no such trial.
    """
    from pydantic import TypeAdapter

    from ..suite.trial import Trial

    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; name another folder")
    path = find_records(run, trial)[-1]
    record = read_record(path)
    if record.status != "ok":
        raise RunError(f"{run}: trial {record.id} is {record.status}: there is no model to export")
    known = TypeAdapter(Trial).validate_python(record.trial)
    device = "cuda:0" if known.device == "cuda" else "cpu"
    execution = _Exporting(Spec(known, device, str(cache_folder())), catalog, folder if adapter else None)
    with TemporaryDirectory() as temporary:
        execution.run(Path(temporary))
        again, before = (place / PREDICTIONS for place in (Path(temporary), path.parent))
        same = before.exists() and again.read_bytes() == before.read_bytes()
    learner = execution.watch.learner
    assert learner is not None
    if not adapter:
        _write_model(learner, folder)
    _write_card(folder, record, learner, same=same, adapter=adapter)
    return Exported(folder, record, same)


class _Exporting(Execution):
    """A trial whose adapter is written before it is merged."""

    def __init__(self, spec: Spec, catalog: Catalog, adapter: Path | None) -> None:
        super().__init__(spec, catalog, self._ignore)
        self.adapter = adapter

    def _ignore(self, event: Mapping[str, Any]) -> None:
        """Nobody follows an export."""

    def finish(self, strategy: Strategy, learner: Learner) -> None:
        if self.adapter is not None:
            self.adapter.mkdir(parents=True, exist_ok=True)
            if not strategy.export(learner, self.adapter):
                raise UserError(
                    f"{self.trial.strategy.label!r} has no adapter in peft's format; export the whole model instead"
                )
        super().finish(strategy, learner)


def _write_model(learner: Learner, folder: Path) -> None:
    """Write an ordinary transformers directory.

    Raises:
        UserError: the model has parts that transformers would not know.
    """
    model: Any = learner.model
    added = sorted({name.split(".")[0] for name, _ in model.named_parameters() if name.startswith("ftbench_")})
    if added:
        parts = ", ".join(name.removeprefix("ftbench_").replace("_", " ") for name in added)
        raise UserError(
            f"what was trained is more than transformers' {type(model).__name__}: it has {parts}, which cannot be merged"
        )
    assert learner.task is not None
    names = learner.task.classes
    if names and learner.task.answer != "transcript":
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: number for number, name in enumerate(names)}
    if learner.task.answer in PROBLEMS:
        model.config.problem_type = PROBLEMS[learner.task.answer]
    model.save_pretrained(folder)
    learner.task.write_processor(learner, folder)


def _write_card(folder: Path, record: Record, learner: Learner, *, same: bool, adapter: bool) -> None:
    trial = record.trial
    assert learner.task is not None
    pooled = {"text": "SequenceClassification", "vision": "ImageClassification", "speech": "AudioClassification"}[
        learner.card.modality
    ]
    auto = AUTO.get(learner.task.answer, pooled)
    scores = [
        f"| {m.name} ({m.scope}) | {m.value:.4f} |"
        for m in record.measurements
        if m.scope == "test" and m.value is not None and not m.task
    ]
    text = CARD.format(
        target=trial["target"],
        strategy=trial["strategy"]["label"],
        backbone=trial["backbone"]["label"],
        seed=trial["seed"],
        id=record.id,
        what="An adapter for peft" if adapter else "A whole model",
        version=metadata.version("ftbench"),
        classes=", ".join(learner.task.classes) or "none",
        scores="\n".join(scores),
        source=learner.card.source,
        licence=learner.card.licence,
        data=learner.task.provenance().source,
        same="answers every test example as it did then"
        if same
        else "does not answer every test example as it did then",
        use="" if adapter else USE.format(auto=auto, folder=folder.name),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "ftbench.json").write_text(json.dumps(trial, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
