"""The committed example: the page of a full run, its bundle, and that the one says what the other holds."""

import html
import json
import re
from collections import Counter

import pytest
from ftbench.notebook import read_run, read_summary
from ftbench.records.bundle import unpack

from tests.conftest import ROOT

EXAMPLE = ROOT / "reports" / "example"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    unpack(EXAMPLE / "example.zip", folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def page():
    return (EXAMPLE / "report.html").read_text(encoding="utf-8")


def test_every_planned_trial_is_in_the_bundle_and_none_failed(run):
    records = read_run(run)
    statuses = Counter(record.status for record in records)
    assert set(statuses) == {"ok", "not-applicable"}
    assert {record.trial["seed"] for record in records} == {0, 1, 2, 3, 4}
    assert {record.trial["modality"] for record in records} == {"text", "vision", "speech"}
    strategies = {record.trial["strategy"]["use"] for record in records}
    assert {"full", "frozen", "lora", "adapter", "prefix", "bitfit", "distillation", "ewc"} <= strategies
    assert len(records) == len(json.loads((run / "plan.json").read_text())["trials"])


def test_the_page_says_what_the_bundle_holds(run, page):
    summary = read_summary(run)
    text = html.unescape(page)
    scores = {}
    for target in summary.targets:
        assert f"{target.answer.pick} on {target.label}" in text
        for sentence in target.verdict[1:]:
            assert sentence in text or sentence.startswith("Cheapest of them")
        body = re.search(rf'<th scope="rowgroup" colspan="2">{target.label} .*?(?=<tbody|</table>)', page, re.DOTALL)[0]
        scores |= {
            (target.label, label): float(score)
            for label, score in re.findall(
                r'<span>([^<]*)</span></label>\s*<td data-v="[^"]*">.*?<td data-v="([^"]*)">', body, re.DOTALL
            )
        }
    known = {
        (target.label, contender.label): contender.quantities[target.primary].estimate.mean
        for target in summary.targets
        for contender in target.contenders
        if target.primary in contender.quantities
    }
    assert scores == pytest.approx(known, rel=1e-5)


def test_the_example_is_light(page):
    media = sum(map(len, re.findall(r'(?:src|href)="data:[^"]*"', page)))
    assert len(page.encode()) - media < 1_000_000
    assert sum(path.stat().st_size for path in EXAMPLE.iterdir()) < 5_000_000
