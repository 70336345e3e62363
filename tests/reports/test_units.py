"""Scores that are not shares are shown in their unit, never in per cent or points."""

import re

import pytest
from ftbench import Measurement
from ftbench.reporting import summarise
from ftbench.stats import estimate

from ftbench_reports.markdown import MarkdownReport
from ftbench_reports.page import render
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
    known = estimate(LOSSES["full"])
    assert (
        first
        == f"full has the lowest mean loss, {known.mean:.4g} nat [{known.low:.4g}, {known.high:.4g}], over 3 seeds."
    )
    assert not [sentence for sentence in (first, *others) if "%" in sentence or "point" in sentence]
    assert any(re.search(r"by 0\.\d+ nat \[", sentence) for sentence in others)


def test_the_page_and_the_markdown_write_nats(tmp_path):
    page = render(SUMMARY)
    known = estimate(LOSSES["full"])
    assert f"<b>{known.mean:.4g} nat</b> [{known.low:.4g}, {known.high:.4g}]" in page
    assert "loss, nat</text>" in page
    away = TARGET.contenders[-1].against_baseline.estimate
    assert f">{away.mean:+.3g} [{away.low:+.3g}, {away.high:+.3g}]<" in page
    text = MarkdownReport().write(SUMMARY, tmp_path).read_text()
    assert "| full | 0.5243 nat" in text
    assert "points" not in text


def test_pinned_differences_are_in_the_scores_unit():
    found = embedded_data(render(SUMMARY))["targets"][0]
    one = TARGET.comparisons[0]
    numbers = found["pairs"][f"{found['labels'].index(one.first)},{found['labels'].index(one.second)}"]
    assert (found["unit"], found["share"]) == ("nat", False)
    assert numbers[0] == pytest.approx(one.difference.estimate.mean, rel=1e-4)


def test_who_has_too_few_seeds_is_neither_tied_nor_beaten():
    short = [
        of_loss("lora", 0, 0.62),
        *(of_loss(name, s, v) for name in ("full", "adapter") for s, v in enumerate(LOSSES[name])),
    ]
    target = summarise(short).targets[0]
    assert "It shares too few seeds with lora for a verdict." in target.verdict
    assert not [sentence for sentence in target.verdict if "lora" in sentence and "tied" in sentence]
    assert all("lora" not in group for group in target.ties)
