"""The files of a leaderboard: answers first, every number recomputed, links resolve, and nothing is fetched."""

import base64
import csv
import hashlib
import io
import json
import re
import statistics
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from ftbench.analysis.task_column import places_of
from ftbench.leaderboard.reruns import Rerun
from ftbench.reporting import Fingerprint, Group, Leaderboard, Point, PublishedRun, Series, summarise

from ftbench_plugins.reports.palette import colour_of
from ftbench_plugins.reports.site.addresses import strategy_pages
from ftbench_plugins.reports.site.dates import day, moment
from ftbench_plugins.reports.site.pages import Site
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
    return dict(Site(leaderboard()).files())


SUITE = "suites/page-01234567.html"


def html(pages):
    return {path: text for path, text in pages.items() if path.endswith(".html")}


def test_there_is_an_index_and_a_page_a_group_a_strategy_and_a_run(pages):
    found = html(pages)
    assert {path.partition("/")[0] for path in found} == {"index.html", "suites", "strategies", "runs"}
    assert next(path for path in found if path.startswith("suites/")) == SUITE
    # The other device has its own page, since nothing is ranked across devices.
    assert len([path for path in found if re.fullmatch(r"suites/page-01234567-[0-9a-f]{8}\.html", path)]) == 1
    assert {path for path in found if path.startswith("strategies/")} == {
        f"strategies/{n}.html" for n in ("full", "lora", "bad")
    }
    assert len([path for path in found if re.fullmatch(r"runs/[\w-]+\.html", path)]) == 3


def test_the_same_leaderboard_gives_the_same_bytes(pages):
    assert list(Site(leaderboard()).files()) == list(pages.items())


def linked(pages, path):
    """Return the files that a page links to."""
    for tag, attrs in shape(pages[path]):
        href = attrs.get("href", "") if tag == "a" else ""
        if href and not href.startswith("#"):
            parts = (path.rpartition("/")[0] + "/" + href.partition("#")[0]).split("/")
            while ".." in parts:
                del parts[parts.index("..") - 1 : parts.index("..") + 1]
            yield "/".join(filter(None, parts))


def test_every_link_leads_to_a_file_and_every_file_is_linked(pages):
    bundles = {run.bundle for run in leaderboard().runs}
    seen = set()
    for path in html(pages):
        tags = shape(pages[path])
        ids = {attrs["id"] for _, attrs in tags if "id" in attrs}
        assert {attrs["href"][1:] for tag, attrs in tags if tag == "a" and attrs["href"].startswith("#")} <= ids, path
        seen |= {*linked(pages, path)}
    assert seen <= {*pages, *bundles, "leaderboard.json"}
    assert {path for path in pages if not path.endswith(".svg")} <= seen | {"index.html"}


def test_every_page_has_a_text_for_previews_of_its_link(pages):
    for path, text in html(pages).items():
        if not path.endswith("/report.html"):
            meta = {a.get("property") or a.get("name"): a.get("content") for tag, a in shape(text) if tag == "meta"}
            assert meta["og:title"].endswith(" · ftbench leaderboard"), path
            assert len(meta["og:description"]) > 10, path
            assert meta["og:description"] == meta["description"]
            assert {meta["og:type"], meta["og:site_name"]} == {"website", "ftbench leaderboard"}
    assert 'property="og:description" content="Take full: accuracy 91.0 %, 9.0 k trained parameters."' in pages[SUITE]


def test_tables_are_there_as_csv_and_as_json_with_the_same_values(pages):
    stems = {path.rpartition(".")[0] for path in pages if path.endswith((".csv", ".json"))}
    assert len(stems) > 10
    for stem in stems:
        rows = list(csv.DictReader(io.StringIO(pages[f"{stem}.csv"])))
        values = json.loads(pages[f"{stem}.json"])
        assert len(rows) == len(values) > 0, stem
        for row, value in zip(rows, values, strict=True):
            assert list(row) == list(value)
            assert {name: _written(one) for name, one in value.items()} == row, stem


def _written(value):
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@")) else text


def _scores(label):
    return [
        m.value
        for r in RECORDS
        for m in r.measurements
        if r.trial["strategy"]["label"] == label and r.status == "ok" and m.name == "accuracy"
    ]


def test_the_tables_have_the_numbers_of_the_records_and_the_pages_those_of_the_tables(pages):
    index, board = json.loads(pages["index.json"]), json.loads(pages[SUITE.replace("html", "json")])
    assert len(index) == 2
    for row in index:
        assert row["take"] == "full"
        assert row["score"] == pytest.approx(statistics.fmean(_scores("full")), abs=1e-6)
        assert 0 <= row["low"] < row["score"] < row["high"] <= 1
        assert row["could_be_the_best"] == "full"
        shown = f"{100 * row['score']:.1f}<small>%</small><span>{100 * row['low']:.1f} – {100 * row['high']:.1f}</span>"
        assert shown in pages["index.html"]
        assert shown in pages[row["page"]]
    rows = {row["strategy"]: row for row in board}
    assert [*rows] == ["full", "lora", "bad"]
    for label, row in rows.items():
        scores = _scores(label)
        assert row["trials_ok"] == len(scores)
        if scores:
            assert row["score"] == pytest.approx(statistics.fmean(scores), abs=1e-6)
            assert f"<b>{100 * row['score']:.1f}</b>" in pages[SUITE]
    difference = statistics.fmean(_scores("lora")) - statistics.fmean(_scores("full"))
    assert rows["lora"]["difference"] == pytest.approx(difference, abs=1e-6)
    assert (rows["lora"]["verdict"], rows["lora"]["could_be_the_best"]) == ("worse", False)
    assert (rows["full"]["best_rank"], rows["lora"]["best_rank"], rows["bad"]["best_rank"]) == (1, 2, None)


def test_no_share_leaves_0_to_100_per_cent(pages):
    for path, text in html(pages).items():
        shown = re.sub(r"(?s)<(script|style).*?</\1>", "", text)
        ranges = re.findall(r"(-?[0-9.]+) % \[(-?[0-9.]+), (-?[0-9.]+)\]", shown)
        ranges += re.findall(r"([0-9.-]+)<small>%</small><span>([0-9.-]+) – ([0-9.-]+)</span>", shown)
        assert ranges or path.startswith(("strategies/", "runs/")), path
        assert all(0 <= float(low) <= float(value) <= float(high) <= 100 for value, low, high in ranges)


def test_the_badge_is_an_image_that_needs_nothing_and_names_what_to_take(pages):
    badges = {path: text for path, text in pages.items() if path.endswith(".svg")}
    assert "badges/page-01234567.svg" in badges
    for text in badges.values():
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root[0].text == "page: take full, 91.0 %"
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert float(root.get("width")) > 150
    assert re.sub(r"\s", "", badges["badges/page-01234567.svg"]) in re.sub(r"\s", "", pages[SUITE])


def test_families_have_the_colours_of_the_page():
    board = leaderboard()
    named = {"full": "all weights", "lora": "low-rank & scaling", "bad": "adapters"}

    def with_families(summary):
        return replace(
            summary,
            targets=tuple(
                replace(t, contenders=tuple(replace(c, family=named[c.strategy]) for c in t.contenders))
                for t in summary.targets
            ),
        )

    groups = tuple(replace(group, summary=with_families(group.summary)) for group in board.groups)
    pages = dict(Site(replace(board, groups=groups)).files())
    for label, family in named.items():
        swatch = rf'<use href="#m\d" x="7" y="7" class="k{colour_of(family)}"/></svg>'
        assert re.search(rf"{swatch}{label}</a>", pages["index.html"]), label
        assert re.search(rf"<h1><svg [^>]*>{swatch}{label}</h1>", pages[f"strategies/{label}.html"]), label
        assert re.search(rf'{swatch}<a href="../strategies/{label}.html">{label}</a>', pages[SUITE]), label
    assert f'class="pick n{colour_of("all weights")}"' in pages["index.html"]
    assert all(f"/></svg>{family.replace('&', '&amp;')}</li>" in pages["index.html"] for family in named.values())


def test_no_page_has_a_script_and_each_allows_its_own_style_alone(pages):
    for path, text in html(pages).items():
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


def test_the_page_of_a_suite_begins_as_the_page_of_a_run(pages):
    text = pages[SUITE]
    assert '<p class="take">take</p>' in text
    assert f'<p class="pick n{Site(leaderboard()).looks["full"].colour}">full</p>' in text
    assert re.search(r'<tr class="missing".*?bad</a><td.*?out of memory</span> seed 0: does not fit', text)
    above, _, folded = text.partition('id="about"')
    hashes = [leaderboard().groups[0].fingerprint.suite, leaderboard().runs[0].sha256[:12]]
    assert all(one not in above and one in folded for one in hashes)
    assert "ranked separately" in above


def test_one_seed_has_no_place_and_no_claim():
    pages = dict(Site(leaderboard([r for r in RECORDS if r.trial["seed"] == 0])).files())
    assert "best mean so far" in pages["index.html"]
    assert "too few seeds to choose" in pages["index.html"]
    assert "Too few seeds to choose" in pages[SUITE]
    row = json.loads(pages["index.json"])[0]
    assert (row["take"], row["could_be_the_best"]) == (None, None)
    assert {row["best_rank"] for row in json.loads(pages[SUITE.replace("html", "json")])} == {None}
    assert "too few seeds to choose" in pages["badges/page-01234567.svg"]


def test_a_run_says_whether_anybody_trained_it_again(pages):
    assert "not re-run" in pages["index.html"]
    board = leaderboard()
    runs = (replace(board.runs[0], rerun=Rerun("ann", 3, 6, 5, "cpu")), *board.runs[1:])
    again = dict(Site(replace(board, runs=runs)).files())
    assert "re-run by ann" in again["index.html"]
    assert "re-run by ann" in again[SUITE]
    assert (
        "3 of 6 trials on cpu, drawn with seed 5: all predictions are equal bit for bit"
        in again[f"runs/{runs[0].name}.html"]
    )
    assert json.loads(again["runs.json"])[0]["rerun_by"] == "ann"


def test_a_series_is_drawn_run_after_run(pages):
    for text in (pages["strategies/lora.html"], pages[SUITE]):
        assert "digits: run after run" in text
        assert "2026-01-03, 0.1.0" in text
        assert "72.0 % [66.8, 76.7], n = 3" in text
        assert 'class="front"' in text.partition("digits: run after run")[2]
    # The first run on another device has nothing to follow.
    (other,) = [path for path in pages if re.fullmatch(r"suites/page-01234567-\w+\.html", path)]
    assert "run after run" not in pages[other]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_a_hostile_name_is_text_and_no_path(name):
    found = dict(Site(leaderboard(label=name, suite=name or "s", device=name or "d")).files())
    plain = dict(Site(leaderboard()).files())
    assert all(re.fullmatch(r"[A-Za-z0-9_/-]+\.(html|csv|json|svg)", path) for path in found)
    assert len(found) == len(plain)
    assert all(ET.fromstring(text) for path, text in found.items() if path.endswith(".svg"))
    for path, text in html(found).items():
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
    pages = html(dict(Site(leaderboard(both)).files()))
    assert [path for path in pages if path.startswith("strategies/")] == ["strategies/full.html"]
    assert '<a href="../strategies/full.html">full · swin</a>' in pages[SUITE]
    assert pages["strategies/full.html"].count("</a> · swin<span>") == 2
