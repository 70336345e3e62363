"""Export a trial's model: train it again, compare its predictions with the record's, write it to disk."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..api.strategy import Strategy
from ..errors import RunError, UserError
from ..fingerprint import cache_folder
from ..records.predictions import PREDICTIONS
from ..records.store import find_records, read_record
from .messages import Spec
from .trial import Execution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ..api.catalog import Catalog
    from ..api.learner import Learner
    from ..records.record import Record
    from ..suite.trial import Trial


AUTO = {"tags": "TokenClassification", "span": "QuestionAnswering", "choice": "MultipleChoice", "transcript": "CTC"}
"""Output type → the name that transformers gives its models, if the modality does not decide it."""
PROBLEMS = {"labels": "multi_label_classification", "number": "regression"}
"""Output type → the problem type in transformers' terms."""
CHECKED = 8
"""Examples on which the outputs of what was written are compared with those of the model."""
SAME = 1e-5
"""Largest difference between them."""
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

The model was trained again for this export. {same}
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
    """An exported model."""

    folder: Path
    """The model directory."""
    record: Record
    """The record of its trial."""
    same: bool
    """Whether all test predictions equal those of the record, to the last stored digit."""


def export(run: Path, trial: str, folder: Path, catalog: Catalog, *, adapter: bool) -> Exported:
    """Write the model of a trial.

    Args:
        run: the run directory.
        trial: beginning of the trial's id.
        folder: the output folder; must be new or empty.
        catalog: what the plugins offer; their code must be the same as when the trial ran.
        adapter: write only the trained adapter, for peft, instead of the whole model, for transformers.

    Raises:
        UserError: the folder is not empty, or what was trained does not fit the format.
        RunError: there is no such trial, or it failed.
    """
    from pydantic import TypeAdapter

    from ..suite.trial import Trial

    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: not empty; name another folder")
    path = find_records(run, trial)[-1]
    record = read_record(path)
    if record.status != "ok":
        raise RunError(f"{run}: trial {record.id} is {record.status}: there is no model to export")
    known = TypeAdapter(Trial).validate_python(record.trial)
    device = "cuda:0" if known.device == "cuda" else "cpu"
    strategy = catalog.find("strategies", known.strategy.use)
    if adapter and getattr(strategy, "export", None) is Strategy.export:
        raise UserError(_no_adapter(known))
    execution = _Exporting(Spec(known, device, str(cache_folder())), catalog, folder if adapter else None)
    try:
        with TemporaryDirectory() as temporary:
            execution.run(Path(temporary))
            again, before = (place / PREDICTIONS for place in (Path(temporary), path.parent))
            same = before.exists() and again.read_bytes() == before.read_bytes()
        learner = execution.watch.learner
        assert learner is not None
        if not adapter:
            _write_model(learner, folder)
            execution.check_written(learner, folder, is_adapter=False)
        _write_card(folder, record, learner, same=same, adapter=adapter)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Exported(folder, record, same)


class _Exporting(Execution):
    """Runs a trial again and writes the adapter before it is merged into the backbone."""

    def __init__(self, spec: Spec, catalog: Catalog, adapter: Path | None) -> None:
        super().__init__(spec, catalog, lambda _event: None)
        self.adapter = adapter

    def finish(self, strategy: Strategy, learner: Learner) -> None:
        if self.adapter is not None:
            self.adapter.mkdir(parents=True, exist_ok=True)
            if not strategy.export(learner, self.adapter):
                raise UserError(_no_adapter(self.trial))
            self.check_written(learner, self.adapter, is_adapter=True)
        super().finish(strategy, learner)

    def check_written(self, learner: Learner, folder: Path, *, is_adapter: bool) -> None:
        """Read what was written with transformers or peft alone, and compare its outputs with the learner's.

        Raises:
            UserError: it cannot be read, or its outputs differ.
        """
        import torch

        bench, library = self.bench, "peft" if is_adapter else "transformers"
        assert bench is not None
        trial, data = self.trial, bench.encoded()
        backbone = self.catalog.build("backbones", trial.backbone.use, trial.backbone.options)
        other: Learner = backbone.load(bench.task.outputs, bench.task.answer)
        batch = bench.task.collate(data, range(min(CHECKED, len(data))))
        # Images and sounds as a plain script has to hand them to a network in half precision.
        own = next(learner.model.parameters()).dtype
        batch = {
            name: tensor.to(self.device, own if tensor.is_floating_point() else None) for name, tensor in batch.items()
        }
        try:
            other.forward_through(_read_back(other.model, folder, is_adapter=is_adapter).eval().to(self.device))
            other.compute_in(learner.precision)
            learner.eval()
            with torch.no_grad():
                found, expected = _outputs(other, batch), _outputs(learner, batch)
            differs = max(float((one - two).abs().max()) for one, two in zip(found, expected, strict=True))
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            raise UserError(f"{library} cannot read the exported model: {type(error).__name__}: {reason}") from error
        if not differs <= SAME:
            raise UserError(f"{library} reads the exported model with other outputs: they differ by {differs:.2g}")


def _no_adapter(trial: Trial) -> str:
    return f"{trial.strategy.label!r} has no adapter in peft's format; export the whole model instead"


def _read_back(model: Any, folder: Path, *, is_adapter: bool) -> Any:
    if not is_adapter:
        return type(model).from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PeftModel.from_pretrained(model, str(folder), local_files_only=True, trust_remote_code=False)


def _outputs(learner: Learner, batch: Mapping[str, Tensor]) -> list[Tensor]:
    outputs = learner.forward(batch)
    names = ("logits", "start_logits", "end_logits")
    return [outputs[name].float() for name in names if outputs.get(name) is not None]


def _write_model(learner: Learner, folder: Path) -> None:
    """Write a standard transformers model directory.

    Raises:
        UserError: the model has parts that transformers cannot load.
    """
    model: Any = learner.model
    own = [name for name, _ in model.named_parameters()]
    added = {name.split(".")[0].removeprefix("ftbench_").replace("_", " ") for name in own if name[:8] == "ftbench_"}
    if any(".base_layer." in name for name in own):
        added.add("layers of peft")
    if added:
        parts = ", ".join(sorted(added))
        raise UserError(
            f"the trained model is not a plain {type(model).__name__} of transformers: "
            f"it has {parts}, which cannot be merged"
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
        same=f"Its predictions on the test split {'equal' if same else 'differ from'} those of the trial.",
        use="" if adapter else USE.format(auto=auto, folder=folder.name),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "ftbench.json").write_text(json.dumps(trial, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
