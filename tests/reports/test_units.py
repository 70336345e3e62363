"""Scores that are not shares are shown in their unit, never in per cent or points."""

import re

import pytest
from ftbench import Measurement
from ftbench.reporting import summarise
from ftbench.stats import estimate

from ftbench_plugins.reports.board import Board
from ftbench_plugins.reports.markdown import MarkdownReport
from ftbench_plugins.reports.page import render
from ftbench_plugins.reports.palette import looks
from tests.reports.test_page import embedded_data, record

LOSSES = {"full": (0.51, 0.523, 0.54), "lora": (0.62, 0.66, 0.64), "adapter": (0.6, 0.61, 0.62)}


def of_loss(strategy, seed, value, target="pages"):
    one = record(strategy, seed, 0.5, target=target)
    others = tuple(m for m in one.measurements if m.unit != "1")
    return type(one)(
        **{
            **vars(one),
            "primary": "loss",
            "measurements": (Measurement("loss", value, "nat", "lower", scope="test"), *others),
        }
    )


SUMMARY = summarise(
    [of_loss(name, seed, value) for name, values in LOSSES.items() for seed, value in enumerate(values)]
)
TARGET = SUMMARY.targets[0]


def test_the_verdict_writes_nats():
    first, *others = TARGET.verdict
    known = TARGET.answer.intervals["full"]
    mean = estimate(LOSSES["full"]).mean
    assert first == f"Take full: loss {mean:.4g} nat [{known.low:.4g}, {known.high:.4g}]."
    assert not [
        sentence for sentence in (first, *others) if "%" in sentence.replace("95 % sure", "") or "point" in sentence
    ]
    assert any(re.search(r"by 0\.\d+ nat \[", sentence) for sentence in others)


def test_the_page_and_the_markdown_write_nats(tmp_path):
    page = render(SUMMARY)
    mean, known = estimate(LOSSES["full"]).mean, TARGET.answer.intervals["full"]
    assert f"loss {mean:.4g} nat [{known.low:.4g}, {known.high:.4g}]" in page
    assert f'<p class="number">{mean:.4g}<small>nat</small><span>{known.low:.4g} – {known.high:.4g}</span>' in page
    assert "loss, nat</text>" in page
    last = TARGET.contenders[-1]
    away, around = last.against_baseline.estimate.mean, last.against_interval
    assert f"difference to full {away:+.3g} [{around.low:+.3g}, {around.high:+.3g}]" in page
    shown = re.sub(r"(?s)<(style|script).*?</\1>|<[^>]*>", "", page[: page.index('id="provenance"')])
    assert not [part for part in re.findall(r"[^ ]+ %", shown) if part not in ("95 %", "100 %", "(100 %")]
    text = MarkdownReport().write(SUMMARY, tmp_path).read_text()
    assert "| **full** | 0.5243 ± " in text
    assert "| loss, nat |" in text
    assert "points" not in text


def test_pinned_differences_are_in_the_scores_unit():
    found = embedded_data(render(SUMMARY))["targets"][0]
    one = TARGET.comparisons[0]
    numbers = found["pairs"][f"{found['labels'].index(one.first)},{found['labels'].index(one.second)}"]
    assert not found["share"]
    assert numbers[0] == pytest.approx(one.difference.estimate.mean, rel=1e-4)


def test_who_has_too_few_seeds_has_no_rank_and_no_word():
    short = [
        of_loss("lora", 0, 0.62),
        *(of_loss(name, s, v) for name in ("full", "adapter") for s, v in enumerate(LOSSES[name])),
    ]
    summary = summarise(short)
    rows = {row.label: row for row in Board(summary, looks(summary.strategies)).rows(summary.targets[0])}
    assert (rows["lora"].ranks, rows["lora"].word, rows["lora"].seeds) == ("", "", "1")
    assert rows["adapter"].word == "worse"
