"""The page: every number is the summary's, everything is escaped, nothing is fetched."""

import base64
import csv
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ftbench import Measurement
from ftbench.reporting import interval_shown, places_of, summarise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftbench_plugins.reports.axes import Scale
from ftbench_plugins.reports.board import Board
from ftbench_plugins.reports.embedded import WORDS
from ftbench_plugins.reports.markdown import MarkdownReport
from ftbench_plugins.reports.page import render
from ftbench_plugins.reports.palette import looks
from ftbench_plugins.reports.table import CsvReport
from tests.reports.synthetic import trials
from tests.support.made_records import RECORDS, record


class _Shape(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def shape(page):
    parser = _Shape()
    parser.feed(page)
    return parser.tags


def test_every_score_on_the_page_is_the_summarys():
    page = render(summarise(RECORDS))
    target = summarise(RECORDS).targets[0]
    for label, mean in (("full", 0.91), ("lora", 0.72)):
        contender = next(c for c in target.contenders if c.label == label)
        found = interval_shown(target.answer, contender, "accuracy")
        assert f"<b>{100 * mean:.1f}</b>" in page
        assert f"accuracy {100 * mean:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]" in page
    around = next(c for c in target.contenders if c.label == "lora").against_interval
    assert '-19.0 <span class="word worse">worse' in page
    assert f"difference to full -19.0 [{100 * around.low:+.1f}, {100 * around.high:+.1f}]" in page
    assert ">Take full: accuracy 91.0 %, 9.0 k trained parameters.</span></h1>" in page


def test_what_failed_is_a_row_with_its_reason():
    page = render(summarise(RECORDS))
    assert re.search(r'<tr class="missing".*bad</span><td.*out of memory</span> seed 0: does not fit', page)
    assert "<b>1</b> out of memory" in page
    assert "nothing failed" not in page
    assert "nothing failed" in render(summarise([r for r in RECORDS if r.status == "ok"]))


def test_one_or_two_seeds_support_no_claim():
    for count in (1, 2):
        text = render(summarise([r for r in RECORDS if r.trial["seed"] < count]))
        best = {1: "90.0", 2: "90.5"}[count]
        assert f">Too few seeds to choose: full has the best accuracy {best} %.</span></h1>" in text
        assert ">Take " not in text
        assert "best mean so far" in text
        assert 'class="in' not in text


def test_nothing_is_fetched_and_nothing_else_can_run():
    page = render(summarise(RECORDS))
    policy = next(a["content"] for tag, a in shape(page) if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    assert "script-src 'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    assert [a for tag, a in shape(page) if tag == "script"] == [{"type": "application/json", "id": "data"}, {}]
    assert not [tag for tag, _ in shape(page) if tag in ("iframe", "object", "embed", "img")]
    assert not [a for _, a in shape(page) if "style" in a or any(key.startswith("on") for key in a)]
    links = [a.get("href", "") for tag, a in shape(page) if tag in ("a", "link", "use")]
    assert all(link.startswith(("#", "data:")) for link in links)


def embedded_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_what_a_row_sorts_by_is_the_summarys_mean():
    summary = summarise(RECORDS)
    page = render(summary)
    for contender in summary.targets[0].contenders:
        if contender.quantities:
            row = re.search(rf"<span>{contender.label}</span></label>.*?(?=<tr|</table>)", page, re.DOTALL)[0]
            assert f'<td data-v="{contender.quantities["accuracy"].estimate.mean:.6g}"' in row
            data = embedded_data(page)
            trained = data["costs"].index("trainable parameters")
            costs = data["targets"][0]["costs"][contender.label]
            assert costs[trained] == contender.quantities["trainable_parameters"].estimate.mean


def test_the_ranks_that_each_may_have_are_a_bar_and_its_ends():
    summary = summarise(trials(40, 5, failing=False))
    target = summary.targets[0]
    rows = Board(summary, looks(summary.strategies)).rows(target)
    places = places_of(target)
    assert len(rows) == len(places) == 40
    for row in rows:
        best, worst = places[row.label]
        assert row.ranks == (f"{best}–{worst}" if best < worst else str(best))
        left, right = (float(end) for end in re.findall(r'x[12]="([0-9]+)%"', row.rank_bar))
        assert left == pytest.approx(100 * (best - 1) / 40, abs=0.51)
        assert right == pytest.approx(100 * worst / 40, abs=0.51)
        assert row.first_rank == str(best)


def test_differences_to_any_baseline_are_the_summarys_pairs():
    target = summarise(RECORDS).targets[0]
    data = embedded_data(render(summarise(RECORDS)))["targets"][0]
    (one,) = target.comparisons
    mean, low, high, word = data["pairs"][f"{data['labels'].index(one.first)},{data['labels'].index(one.second)}"]
    known = one.interval
    assert [mean, low, high] == pytest.approx(
        [100 * one.difference.estimate.mean, 100 * known.low, 100 * known.high], abs=6e-3
    )
    assert WORDS[word] == one.difference.verdict


def test_the_same_records_give_the_same_bytes():
    assert render(summarise(RECORDS)) == render(summarise(RECORDS))


def test_every_chart_has_a_description():
    charts = [a for tag, a in shape(render(summarise(RECORDS))) if tag == "svg" and "chart" in a.get("class", "")]
    assert len(charts) == 4  # a trade-off, differences, a curve and phases
    assert all(a["role"] == "img" and a["aria-label"] for a in charts)


def test_every_figure_has_a_title_a_sentence_and_its_numbers_as_a_table():
    page = render(summarise(RECORDS))
    figures = re.findall(r"<figure(?: class=.wide.)?>.*?</figure>", page, re.DOTALL)
    assert len(figures) == 3
    assert all(re.search(r"<figcaption><b>[^<]+</b> [^<]+\.</figcaption>", found) for found in figures)
    assert all(
        re.search(r"<details><summary>The numbers</summary>.*<tbody><tr><th>", found, re.DOTALL) for found in figures
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=60)
    | st.sampled_from(
        ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202eabc", "🦆" * 50, "{{ 7*7 }}"]
    )
)
def test_a_hostile_name_is_shown_and_not_obeyed(name):
    plain = shape(render(summarise(RECORDS)))
    hostile = [
        replace(r, trial={**r.trial, "strategy": {**r.trial["strategy"], "label": name}})
        if r.trial["strategy"]["use"] == "lora"
        else r
        for r in RECORDS
    ]
    if name in ("full", "bad"):
        return
    page = render(summarise([replace(r, classes={"digits": (name, "b")}) for r in hostile]))
    assert [
        tag
        for tag, _ in shape(page)
        if tag not in ("span", "polyline", "circle", "rect", "use", "path", "g", "tr", "th", "td")
    ] == [
        tag
        for tag, _ in plain
        if tag not in ("span", "polyline", "circle", "rect", "use", "path", "g", "tr", "th", "td")
    ]
    assert page.count("<script") == page.count("</script") == 2
    assert name in embedded_data(page)["targets"][0]["labels"]


def test_a_hundred_trials_stay_under_the_budget():
    many = [
        record(f"s{k}", seed, 0.5 + k / 100 + seed / 1000, params=1000.0 + k) for k in range(20) for seed in range(5)
    ]
    assert len(render(summarise(many)).encode()) < 300_000


def test_csv_and_markdown_carry_the_same_figures(tmp_path):
    summary = summarise(RECORDS)
    with CsvReport().write(summary, tmp_path).open() as stream:
        rows = list(csv.DictReader(stream))
    full = next(r for r in rows if r["strategy"] == "full" and r["measurement"] == "accuracy")
    assert float(full["mean"]) == pytest.approx(0.91)
    assert full["n"] == "3"
    text = MarkdownReport().write(summary, tmp_path).read_text()
    assert "| **full** | 91.0 ± " in text
    assert "**oom**: does not fit" in text


def test_a_formula_in_a_name_stays_text(tmp_path):
    evil = [replace(r, trial={**r.trial, "target": "=1+1"}) for r in RECORDS]
    assert "'=1+1" in CsvReport().write(summarise(evil), tmp_path).read_text()


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=8), st.booleans())
def test_a_scale_keeps_every_value_inside_and_in_order(values, log):
    scale = Scale.over(values, 10, 110, log=log)
    places = [scale.place(value) for value in sorted(values)]
    assert all(10 <= place <= 110 for place in places)
    assert places == sorted(places)
    assert all(scale.low <= tick <= scale.high * (1 + 1e-9) for tick in scale.ticks())


def test_how_each_cost_was_taken_is_told_where_all_say_the_same():
    def taken(strategy, seed, method):
        cost = Measurement("flops_per_step", 2e9, "FLOP", "lower", method="counted <exactly>")
        time = Measurement("charged_time", 2.0, "s", "lower", method=method)
        one = record(strategy, seed, 0.5)
        return replace(one, measurements=(*one.measurements, cost, time))

    page = render(summarise([taken("full", 0, "by one clock"), taken("lora", 0, "by another clock")]))
    assert "<dt>FLOPs a step</dt><dd>counted &lt;exactly&gt;; in FLOP</dd>" in page
    assert "<dt>whole trial, all included</dt><dd>differs between strategies: see report.csv; in s</dd>" in page
    assert page.count("2.0 GFLOP") >= 2
