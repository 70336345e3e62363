"""The pages of a leaderboard: links resolve, names are escaped, and nothing is fetched."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from ftbench.analysis.task_column import places_of
from ftbench.reporting import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series, summarise

from ftbench_reports.site.addresses import strategy_pages
from ftbench_reports.site.dates import day, moment
from ftbench_reports.site.pages import Site
from tests.reports.test_page import RECORDS, record, shape

HOSTILE = [
    "</script><script>alert(1)</script>",
    "\u202e\u2028'\"`${1}",
    "🦆" * 20,
    "x" * 10_000,
    "../../etc/passwd",
    "__proto__",
    "{{ 7 * 7 }}",
    "",
]


def leaderboard(records=RECORDS, *, label="lora", suite="page", device="cpu"):
    """Two runs of one fingerprint, a day apart, and one of another."""
    text = [r if r.trial["strategy"]["label"] != "lora" else _called(r, label) for r in records]
    summary = replace(summarise(text), suite=suite)
    prints = (
        Fingerprint("0123456789abcdef", 1, device, {"torch": "2"}),
        Fingerprint("0123456789abcdef", 1, f"{device} 2", {"torch": "2"}),
    )
    runs = tuple(
        PublishedRun(
            f"page-2026-01-0{n}-{n:012x}",
            suite,
            f"{n:064x}",
            1000,
            1767225600.0 + 86400 * n,
            "0.1.0",
            f"e{n}",
            {"cpu": device},
            {"torch": "2"},
            prints[n == 1],
            summary,
        )
        for n in (3, 2, 1)
    )
    sources = {c.strategy: runs[0].name for t in summary.targets for c in t.contenders}
    places = {target.label: places_of(target) for target in summary.targets}
    groups = (
        Group(prints[0], suite, (runs[0].name, runs[1].name), summary, sources, places),
        Group(prints[1], suite, (runs[2].name,), summary, dict.fromkeys(sources, runs[2].name), places),
    )
    series = tuple(
        Series(
            prints[0].suite,
            1,
            device,
            t.label,
            c.strategy,
            c.label,
            tuple(
                Point(run.name, c.quantities.get(t.primary), c.statuses, n == 1) for n, run in enumerate(runs[1::-1])
            ),
        )
        for t in summary.targets
        for c in t.contenders
    )
    return Leaderboard("0.1.0", (), runs, groups, series)


def _called(r, label):
    return replace(r, trial={**r.trial, "strategy": {**r.trial["strategy"], "label": label}})


@pytest.fixture(scope="module")
def pages():
    return dict(Site(leaderboard()).pages())


def test_there_is_an_index_and_a_page_a_suite_a_strategy_and_a_run(pages):
    assert {path.partition("/")[0] for path in pages} == {"index.html", "suites", "strategies", "runs"}
    assert [path for path in pages if path.startswith("suites/")] == ["suites/page-01234567.html"]
    assert {path for path in pages if path.startswith("strategies/")} == {
        f"strategies/{n}.html" for n in ("full", "lora", "bad")
    }
    assert len([path for path in pages if re.fullmatch(r"runs/[\w-]+\.html", path)]) == 3


def test_every_link_leads_to_a_page_or_a_bundle(pages):
    bundles = {run.bundle for run in leaderboard().runs}
    for path, text in pages.items():
        ids = {attrs["id"] for _, attrs in shape(text) if "id" in attrs}
        for tag, attrs in shape(text):
            href = attrs.get("href", "") if tag == "a" else ""
            if href.startswith("#"):
                assert href[1:] in ids, (path, href)
            elif href:
                parts = (path.rpartition("/")[0] + "/" + href.partition("#")[0]).split("/")
                while ".." in parts:
                    del parts[parts.index("..") - 1 : parts.index("..") + 1]
                assert "/".join(filter(None, parts)) in {*pages, *bundles, "leaderboard.json"}, (path, href)


def test_no_page_has_a_script_and_each_allows_its_own_style_alone(pages):
    for path, text in pages.items():
        if path.endswith("/report.html"):
            continue
        tags = shape(text)
        (policy,) = [attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
        style = text.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert (
            policy
            == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        )
        assert not [
            tag
            for tag, attrs in tags
            if tag == "script" or "style" in attrs or any(name.startswith("on") for name in attrs)
        ]
        assert not [attrs["src"] for _, attrs in tags if "src" in attrs]


def test_scores_places_and_what_left_none_are_shown(pages):
    text = pages["suites/page-01234567.html"]
    assert text.count("<b>91.0 %</b> [88.2, 93.2]") == 2
    assert re.search(r'rank </span>1</span><a href="../strategies/full.html">', text)
    assert re.search(r'rank </span>2</span><a href="../strategies/lora.html">', text)
    assert text.count('<span class="word lost">out of memory</span> seed 0: does not fit') == 2
    assert "ranked separately" in text


def test_one_seed_has_no_place_and_no_claim():
    text = dict(Site(leaderboard([r for r in RECORDS if r.trial["seed"] == 0])).pages())
    assert "the best mean; too few seeds to compare" in text["index.html"]
    assert "one seed cannot show which is better" in text["suites/page-01234567.html"]
    assert re.search(r'rank </span>–</span><a href="../strategies/full.html">', text["suites/page-01234567.html"])
    assert not re.search(r"rank </span>\d", text["suites/page-01234567.html"])


def test_a_series_is_drawn_run_after_run(pages):
    text = pages["strategies/lora.html"]
    assert "digits: run after run" in text
    assert "2026-01-03, 0.1.0" in text
    assert "72.0 % [66.8, 76.7], n = 3" in text
    assert 'class="front"' in text.partition("digits: run after run")[2]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_a_hostile_name_is_text_and_no_path(name):
    found = dict(Site(leaderboard(label=name, suite=name or "s", device=name or "d")).pages())
    plain = dict(Site(leaderboard()).pages())
    assert all(re.fullmatch(r"[A-Za-z0-9_/-]+\.html", path) and ".." not in path for path in found)
    assert len(found) == len(plain)
    for path, text in found.items():
        tags = [tag for tag, _ in shape(text)]
        assert tags.count("script") == (2 if path.endswith("/report.html") else 0)
        assert "49" not in text.partition("<h1>")[2].partition("</h1>")[0]


def test_labels_that_differ_in_case_or_are_no_names_get_pages_of_their_own():
    found = strategy_pages(["LoRA", "lora", "a/b", "a b", "", "CON", "ü"])
    assert len({path.casefold() for path in found.values()}) == 7
    assert found["LoRA"] == "strategies/LoRA.html"
    assert all(re.fullmatch(r"strategies/[A-Za-z0-9_-]+\.html", path) for path in found.values())


def test_a_time_that_is_not_known_is_a_dash():
    assert day(0.0) == moment(0.0) == "–"
    assert (day(86400.0), moment(86400.0)) == ("1970-01-02", "1970-01-02 00:00 UTC")


def test_several_backbones_of_a_strategy_lead_to_its_one_page():
    both = [record("full", seed, 0.5, backbone=name) for seed in range(3) for name in ("vit", "swin")]
    pages = dict(Site(leaderboard(both)).pages())
    assert [path for path in pages if path.startswith("strategies/")] == ["strategies/full.html"]
    assert "full · swin" in pages["suites/page-01234567.html"]


def test_every_cost_has_its_interval_and_n(pages):
    (suite,) = [text for name, text in pages.items() if str(name).startswith("suites/")]
    assert 'title="9.0 k, n = 3">9.0 k</td>' in suite
