"""The page: every number is the summary's, everything is escaped, nothing is fetched."""

import base64
import csv
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ftbench import Measurement, Record
from ftbench.meters import Phase
from ftbench.reporting import Curve, Failure, places_of, summarise
from ftbench.stats import estimate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftbench_reports.axes import Scale
from ftbench_reports.board import Board
from ftbench_reports.embedded import WORDS
from ftbench_reports.markdown import MarkdownReport
from ftbench_reports.page import render
from ftbench_reports.palette import DARK, LIGHT, PAPER, looks
from ftbench_reports.table import CsvReport
from tests.reports.synthetic import trials


def point(step, loss):
    return {"step": float(step), "examples": 16.0 * step, "seconds": 0.5 * step, "task_loss": loss, "loss": loss}


def record(strategy, seed, accuracy, *, status="ok", target="digits", backbone="vit", params=1000.0, message="why"):
    part = {"use": strategy, "label": strategy, "options": {}, "fingerprint": {}}
    trial = {
        "suite": "page",
        "target": target,
        "modality": "vision",
        "profile": "normal",
        "seed": seed,
        "split_seed": 0,
        "device": "cpu",
        "threads": 1,
        "code": "c",
        "backbone": {**part, "use": backbone, "label": backbone},
        "strategy": part,
        "stages": [{"task": {**part, "label": target}, "training": {"lr": 0.001, "batch_size": 16}}],
    }
    readings = (
        Measurement("accuracy", accuracy, "1", "higher"),
        Measurement("macro_f1", accuracy, "1", "higher"),
        Measurement("trainable_parameters", params, "parameters", "lower"),
        Measurement("peak_allocated_memory", None, "B", "lower", reason="no device allocator on a CPU"),
    )
    done = status == "ok"
    return Record(
        f"{strategy}{seed}",
        f"{strategy}{seed}",
        "env",
        trial,
        status,
        "accuracy",
        measurements=readings if done else (),
        phases=(Phase("train", 1.0),) if done else (),
        curves=(Curve(target, tuple(point(step, 0.6 - step / 10) for step in (1, 2)), ()),) if done else (),
        confusion={target: ((5, 1), (2, 4))} if done else {},
        classes={target: ("a", "b")},
        failure=None if done else Failure("Kind", message, "Traceback <b>"),
        provenance={
            "software": {"torch": "2"},
            "hardware": {"cpu": "x"},
            "data": {target: {"licence": "MIT", "source": "s", "note": ""}},
        },
    )


def with_memory(r):
    """Add a peak of allocated device memory."""
    others = tuple(m for m in r.measurements if m.name != "peak_allocated_memory")
    held = Measurement("peak_allocated_memory", 2.0**30, "B", "lower")
    return replace(r, measurements=(*others, held)) if r.status == "ok" else r


RECORDS = [
    *(record("full", seed, 0.9 + seed / 100, params=9000.0) for seed in range(3)),
    *(record("lora", seed, 0.7 + seed / 50) for seed in range(3)),
    record("bad", 0, 0.0, status="oom", message="does not fit"),
]


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
    for values in ([0.9, 0.91, 0.92], [0.7, 0.72, 0.74]):
        found = estimate(values)
        assert f"<b>{100 * found.mean:.1f} %</b> [{100 * found.low:.1f}, {100 * found.high:.1f}]" in page
    assert '-19.0 [-21.5, -16.5]</span> <span class="word worse">worse' in page
    assert "full has the highest mean accuracy" in page
    assert "It beats lora" in page


def test_what_failed_is_a_row_with_its_reason():
    page = render(summarise(RECORDS))
    assert re.search(r'<tr class="missing".*bad<td.*out of memory</span> seed 0: does not fit', page)
    assert "<b>1</b> out of memory" in page


def test_one_or_two_seeds_support_no_claim():
    for count in (1, 2):
        text = render(summarise([r for r in RECORDS if r.trial["seed"] < count]))
        assert "too few to show which is better" in text
        assert "It beats" not in text


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
            row = re.search(rf'<tr><th scope="row">[^\n]*</svg>{contender.label}<.*?(?=<tr|</table>)', page, re.DOTALL)[
                0
            ]
            assert f'<td data-v="{contender.quantities["accuracy"].estimate.mean:.6g}"' in row
            data = embedded_data(page)
            (costs,) = [costs for label, _, costs in data["targets"][0]["points"] if label == contender.label]
            trained = [cost["measured"] for cost in data["costs"]].index("trainable parameters")
            assert costs[trained] == [contender.quantities["trainable_parameters"].estimate.mean]


def test_where_ties_take_too_many_letters_the_places_each_may_hold_are_shown():
    summary = summarise(trials(40, 5, failing=False))
    target = summary.targets[0]
    assert len(target.ties) > 26
    shown = {row.label: row.letters for row in Board(summary, looks(summary.strategies)).rows(target)}
    assert shown == {label: f"{best}–{worst}" for label, (best, worst) in places_of(target).items()}
    assert len(shown) == 40
    few = summarise(trials(6, 5, failing=False))
    assert {letter for row in Board(few, looks(few.strategies)).rows(few.targets[0]) for letter in row.letters} == set(
        "abcd"
    )


def test_differences_to_any_baseline_are_the_summarys_pairs():
    target = summarise(RECORDS).targets[0]
    data = embedded_data(render(summarise(RECORDS)))["targets"][0]
    (one,) = target.comparisons
    mean, low, high, word = data["pairs"][f"{data['labels'].index(one.first)},{data['labels'].index(one.second)}"]
    known = one.difference.estimate
    assert [mean, low, high] == pytest.approx([100 * known.mean, 100 * known.low, 100 * known.high], abs=6e-3)
    assert WORDS[word] == one.difference.verdict


def test_the_same_records_give_the_same_bytes():
    assert render(summarise(RECORDS)) == render(summarise(RECORDS))


def test_every_chart_has_a_description():
    charts = [a for tag, a in shape(render(summarise(RECORDS))) if tag == "svg" and "chart" in a.get("class", "")]
    assert len(charts) == 4
    assert all(a["role"] == "img" and a["aria-label"] for a in charts)


def test_every_figure_has_a_title_a_sentence_and_its_numbers_as_a_table():
    page = render(summarise(RECORDS))
    figures = re.findall(r"<figure(?: class=.wide.)?>.*?</figure>", page, re.DOTALL)
    assert len(figures) == 4
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
    assert "| full | 91.0 %" in text
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
        time = Measurement("train_time", 2.0, "s", "lower", method=method)
        one = record(strategy, seed, 0.5)
        return replace(one, measurements=(*one.measurements, cost, time))

    page = render(summarise([taken("full", 0, "by one clock"), taken("lora", 0, "by another clock")]))
    assert "<dt>FLOPs a step</dt><dd>counted &lt;exactly&gt;; in FLOP</dd>" in page
    assert "<dt>training time</dt><dd>differs between strategies: see report.csv; in s</dd>" in page
    assert page.count("2.0 GFLOP") >= 2


@pytest.mark.parametrize(("colours", "paper"), [(LIGHT, PAPER[0]), (DARK, PAPER[1])])
def test_every_colour_stands_out_from_the_page_three_to_one(colours, paper):
    assert min(contrast(colour, paper) for colour in colours) >= 3


def contrast(one, other):
    """WCAG 2.2, relative luminance."""
    return (max(luminance(one), luminance(other)) + 0.05) / (min(luminance(one), luminance(other)) + 0.05)


def luminance(colour):
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
