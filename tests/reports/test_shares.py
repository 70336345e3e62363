"""No text holds a share outside 0 to 100 %, whatever the scores: terminal, Markdown, LaTeX and recommendation."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from ftbench import Measurement
from ftbench.analysis.recommendation import Limit, recommend
from ftbench.analysis.wording import plus_minus
from ftbench.cli.recommendation_text import as_json, as_markdown
from ftbench.cli.verdict_table import print_verdicts
from ftbench.reporting import summarise
from ftbench.stats import Interval
from ftbench.stats.item_scores import Items
from hypothesis import given
from hypothesis import strategies as st

from ftbench_plugins.reports.latex import LatexReport
from ftbench_plugins.reports.markdown import MarkdownReport
from tests.support.made_records import record

EXTREMES = {
    "all right": ({"a": [1.0] * 3, "b": [1.0] * 3, "c": [0.99, 1.0, 1.0]}, 100),
    "all wrong": ({"a": [0.0] * 3, "b": [0.0] * 3, "c": [0.0, 0.01, 0.0]}, 100),
    "one item": ({"a": [1.0, 0.0, 1.0], "b": [0.0, 0.0, 0.0], "c": [1.0, 1.0, 1.0]}, 1),
    "two seeds": ({"a": [0.99, 1.0], "b": [0.02, 0.0], "c": [0.5, 0.97]}, 100),
    "one seed": ({"a": [1.0], "b": [0.0]}, 10),
    "one strategy": ({"a": [1.0, 0.98]}, 50),
    "near the ends": ({"a": [0.999, 0.95, 1.0, 0.91], "b": [0.001, 0.05, 0.0, 0.12], "c": [1.0] * 4}, 1000),
}
_NUMBER = r"[-−]?\d+(?:\.\d+)?"


def summary_of(scores, items):
    records = [
        replace(one, measurements=(*one.measurements, Measurement("peak_host_memory", 1e9 + len(name), "B", "lower")))
        for name, values in scores.items()
        for seed, value in enumerate(values)
        for one in (record(name, seed, value),)
    ]

    def read(one):
        right = round(one.measurement("accuracy").value * items)
        return Items("accuracy", "same", np.array([1.0] * right + [0.0] * (items - right)))

    return summarise(records, read=read)


def texts_of(summary, folder, capsys):
    print_verdicts(summary)
    yield capsys.readouterr().out
    yield MarkdownReport().write(summary, folder).read_text(encoding="utf-8")
    yield LatexReport().write(summary, folder).read_text(encoding="utf-8")
    yield LatexReport(style="compact").write(summary, folder).read_text(encoding="utf-8")
    for limits, prefer in (([], None), ([Limit(("accuracy",), 0.1, at_least=True)], "time"), ([], "accuracy")):
        found = recommend(summary, limits, prefer)
        yield as_markdown(summary, limits, found)
        _check_numbers(json.loads(as_json(summary, limits, found)))


def _check_numbers(table):
    """Check the numbers of every share in JSON."""
    if isinstance(table, list):
        for one in table:
            _check_numbers(one)
    if isinstance(table, dict):
        if table.get("unit") == "1" and table.get("interval"):
            assert 0 <= table["interval"]["low"] <= table["mean"] <= table["interval"]["high"] <= 1
        for one in table.values():
            _check_numbers(one)


def outside(text):
    """Return the shares and intervals of a text that are outside 0 to 100 %, and differences beyond 100 points."""
    text = text.replace("\\", "").replace("$pm$", "±").replace("$-$", "−")
    text = re.sub(r"(?:textbf|underline|dagger|[{}$^])", "", text).replace(",%", ", %")
    found = [one for one in re.findall(rf"({_NUMBER}) %", text) if not 0 <= _value(one) <= 100]
    for mean, half in re.findall(rf"({_NUMBER}) ± ({_NUMBER})", text):
        if _value(mean) - _value(half) < -1e-9 or _value(mean) + _value(half) > 100 + 1e-9:
            found.append(f"{mean} ± {half}")
    for mean, below, above in re.findall(rf"({_NUMBER}) −([\d.]+)/\+([\d.]+)", text):
        if _value(mean) - _value(below) < -1e-9 or _value(mean) + _value(above) > 100 + 1e-9:
            found.append(f"{mean} −{below}/+{above}")
    for low, high in re.findall(rf"% \[({_NUMBER})(?: %)?, ({_NUMBER})(?: %)?\]", text):
        if not 0 <= _value(low) <= _value(high) <= 100:
            found.append(f"[{low}, {high}]")
    for low, high in re.findall(rf"\[\+?({_NUMBER}), \+?({_NUMBER})\]", text):
        if not -100 <= _value(low) <= _value(high) <= 100:
            found.append(f"[{low}, {high}]")
    return found


def _value(text):
    return float(text.replace("−", "-"))


@pytest.mark.parametrize("name", EXTREMES)
def test_no_share_and_no_interval_is_outside(name, tmp_path, capsys):
    summary = summary_of(*EXTREMES[name])
    for text in texts_of(summary, tmp_path, capsys):
        assert outside(text) == [], text
        assert "nan" not in text.lower()
        assert "inf" not in re.findall(r"[a-z]+", text.lower())


def test_the_check_finds_what_is_outside():
    assert outside(r"full & 100.0 \% [97.1, 102.9] & 99.0 $\pm$ 2.0 & 0.5 ± 1.0 & 101.0 %")
    assert len(outside("| 100.0 ± 1.0 | 1.0 −2.0/+1.0 | 50.0 % [-1.0 %, 60.0 %] | [-103.0, +2.0]")) == 5
    assert outside("99.0 −3.0/+1.0, 50.0 % [40.0, 60.0], −50.0 points [−100.0, 0.0]") == []


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_share_with_its_half_stays_inside(one, two, three):
    low, mean, high = sorted((one, two, three))
    assert outside(plus_minus(mean, Interval(low, high))) == []


def test_a_half_is_the_longer_one_and_both_are_shown_at_the_ends():
    assert plus_minus(0.81, Interval(0.79, 0.82)) == "81.0 ± 2.0"
    assert plus_minus(0.995, Interval(0.971, 0.999)) == "99.5 −2.4/+0.4"
    assert plus_minus(0.0, Interval(0.0, 0.037)) == "0.0 −0.0/+3.7"
    assert plus_minus(0.5, None) == "50.0"
    assert plus_minus(1.234567, Interval(1.2, 1.3), "nat") == "1.235 ± 0.065"
