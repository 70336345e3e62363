"""The section that exports and uses the pick of each task."""

import ast
from dataclasses import replace

import pytest
from ftbench import Measurement
from ftbench.reporting import summarise

from ftbench_plugins.reports.learning import winners
from ftbench_plugins.reports.page import render
from tests.support.made_records import RECORDS


def test_the_pick_is_exported_by_a_trial_of_its_own_and_has_its_size():
    stored = Measurement("stored_bytes", 2.0 * 2**20, "B", "lower")
    summary = summarise(
        [replace(r, measurements=(*r.measurements, stored)) if r.status == "ok" else r for r in RECORDS]
    )
    (one,) = winners(summary)
    assert (one.label, one.task, one.size, one.run) == ("full", "digits", "2.0 MiB", "runs/page")
    assert one.trial in {r.id[:8] for r in RECORDS if r.trial["strategy"]["label"] == "full"}
    page = render(summary)
    assert f"ftbench export runs/page {one.trial} out" in page
    assert "2.0 MiB on disk" in page


@pytest.mark.parametrize(
    ("modality", "score", "classes", "kind"),
    [
        ("vision", "accuracy", True, "image-classification"),
        ("text", "accuracy", True, "text-classification"),
        ("text", "exact_match", False, "question-answering"),
        ("text", "f1", True, "token-classification"),
        ("speech", "word_error_rate", False, "automatic-speech-recognition"),
        ("text", "pearson", False, "AutoConfig"),
    ],
)
def test_five_lines_of_python_load_it(modality, score, classes, kind):
    def change(r):
        readings = tuple(replace(m, name=score) if m.name == "accuracy" else m for m in r.measurements)
        readings = tuple(m for m in readings if m.name != "macro_f1")
        return replace(
            r,
            primary=score,
            trial={**r.trial, "modality": modality},
            measurements=readings,
            classes=r.classes if classes else {},
            confusion=r.confusion if classes else {},
        )

    (one,) = winners(summarise([change(r) for r in RECORDS]))
    assert kind in one.code
    assert ast.parse(one.code)
    assert len([line for line in one.code.splitlines() if line]) <= 5
