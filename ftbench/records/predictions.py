"""What a trial answered to each test example, kept beside its record."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..api.task import Scored, Task

PREDICTIONS = "predictions.jsonl.gz"
"""Name of the file."""


def write_predictions(path: Path, scored: Mapping[str, Scored], tasks: Mapping[str, Task]) -> None:
    """Write one JSON line per example, with the group it belongs to if it does; the same predictions give the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        for label, one in scored.items():
            groups = tasks[label].groups([prediction["id"] for prediction in one.predictions]) or [None] * len(one.predictions)
            for prediction, group in zip(one.predictions, groups, strict=True):
                line = {"task": label, **prediction, **({} if group is None else {"group": group})}
                stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
