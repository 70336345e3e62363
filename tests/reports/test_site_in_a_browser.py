"""A leaderboard in Chromium: answered in five seconds, on every screen, without scripting, without a request."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from ftbench.leaderboard.leaderboard import leaderboard_of
from ftbench.leaderboard.submissions import gathered
from ftbench.plugins import Plugins
from ftbench.reporting import interval_shown

from ftbench_plugins.reports.site import write
from tests.reports.test_first_screen import DESK, EXAMPLE, IN_VIEW, PHONE, mean
from tests.reports.test_site import HOSTILE, leaderboard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def board():
    """The committed example as a leaderboard."""
    with gathered([EXAMPLE], Plugins.discover().catalog()) as entries:
        return leaderboard_of(entries, "0")


@pytest.fixture(scope="module")
def site(board, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    write(board, folder)
    return folder


@pytest.fixture
def opened(chromium):
    """Open a file; the test fails on any request, console message, page error or dialogue."""
    said, contexts = [], []

    def show(path, **context):
        contexts.append(chromium.new_context(**context))
        page = contexts[-1].new_page()
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else said.append(r.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(path.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert said == []


def pages_of(folder):
    """Return one page of each kind."""
    return [
        folder / "index.html",
        *(next(path for path in sorted(folder.glob(f"{kind}/*.html"))) for kind in ("suites", "strategies", "runs")),
    ]


def test_the_index_answers_five_questions_for_each_task_on_its_first_screen(opened, site, board):
    page = opened(site / "index.html", viewport=DESK)
    seen = page.evaluate(IN_VIEW)
    (group,) = board.groups
    assert len(group.summary.targets) == 4
    for target in group.summary.targets:
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=target.label, exact=False)).first
        text = " ".join(row.inner_text().replace("%", "% ").split())
        by_label = {c.label: c for c in target.contenders}
        pick, baseline = by_label[target.answer.pick], by_label[target.baseline]
        # Which one should I take, how well does it score, and how sure is that?
        found = interval_shown(target.answer, pick, target.primary)
        score = f"{100 * mean(pick, target.primary):.1f}% {100 * found.low:.1f} – {100 * found.high:.1f}"
        assert f"{pick.label} {score}" in text
        assert pick.label in seen
        # What does it cost, compared with full fine-tuning?
        for cost in ("peak_tensor_bytes", "charged_train_time"):
            assert f"{mean(pick, cost) / mean(baseline, cost):.2f}× full" in text
        # Who else could be the best?
        others = [label for label in target.answer.possible if label != pick.label]
        assert all(label in text for label in others[:3])
        drawn = row.locator("svg.tracks").get_attribute("aria-label")
        assert f"could be the best: {', '.join(target.answer.possible)}" in drawn
        colours = row.locator("svg.tracks > g").evaluate_all(
            "all => all.map(one => [one.querySelector('title').textContent.split(':')[0], one.classList.contains('o')])"
        )
        assert {label for label, pale in colours if not pale} == set(target.answer.possible)
        scored = [c.label for c in target.contenders if c.statuses.get("ok")]
        assert [label for label, _ in colours] == scored
        # When was that, and did anybody check it?
        assert "2026-11-25 not re-run" in text
    # Did anything fail?
    assert "380 trials ok, 20 not applicable, nothing failed" in seen


def test_a_row_of_the_index_is_small_and_pages_are_short(opened, site):
    page = opened(site / "index.html", viewport=DESK)
    assert page.evaluate("document.documentElement.scrollHeight") <= 1_200
    heights = page.locator(".tasks tbody tr").evaluate_all("all => all.map(one => one.clientHeight)")
    assert max(heights) <= 110
    assert opened(site / "index.html", viewport=PHONE).evaluate("document.documentElement.scrollHeight") <= 3_500
    (suite,) = (site / "suites").glob("*.html")
    assert opened(suite, viewport=DESK).evaluate("document.documentElement.scrollHeight") <= 6_500


def test_the_first_screen_of_a_suite_is_that_of_its_page(opened, site, board):
    (suite,) = (site / "suites").glob("*.html")
    seen = opened(suite, viewport=DESK).evaluate(IN_VIEW)
    for target in board.groups[0].summary.targets:
        assert f"{target.answer.pick} on {target.label}" in seen
    assert "newest run 2026-11-25 , not re-run" in seen


def test_a_strategy_is_one_strip_over_all_tasks(opened, site, board):
    page = opened(site / "strategies" / "lora.html", viewport=DESK)
    rows = page.locator(".strip tbody tr")
    there = [t for t in board.groups[0].summary.targets if any(c.strategy == "lora" for c in t.contenders)]
    assert rows.count() == len(there) == 4
    assert page.locator("svg.bar .best").count() == 4
    texts = rows.all_inner_texts()
    for target, text in zip(there, texts, strict=True):
        lora = next(c for c in target.contenders if c.label == "lora")
        assert target.label in text
        assert f"{100 * mean(lora, target.primary):.1f} %" in text
    table = json.loads((site / "strategies" / "lora.json").read_text())
    assert [row["take"] for row in table] == [t.answer.pick == "lora" for t in there]
    rows = csv.DictReader(io.StringIO((site / "strategies" / "lora.csv").read_text()))
    assert [row["task"] for row in rows] == [target.label for target in there]


@pytest.mark.parametrize(
    "way",
    [
        {"color_scheme": "light", "viewport": DESK},
        pytest.param({"color_scheme": "dark", "viewport": PHONE}, marks=pytest.mark.thorough),
        pytest.param(
            {"color_scheme": "light", "viewport": {"width": 794, "height": 1123}, "print": True},
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["light", "dark phone", "print"],
)
def test_axe_finds_nothing_and_no_page_is_wider_than_the_window(opened, axe, site, way):
    way = dict(way)
    printed = way.pop("print", False)
    for path in pages_of(site):
        page = opened(path, **way)
        if printed:
            page.emulate_media(media="print", color_scheme="light")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        assert axe(page) == [], path


@pytest.mark.thorough
def test_hostile_names_and_other_devices_show_on_every_screen(opened, tmp_path):
    write(leaderboard(), tmp_path / "plain")
    write(leaderboard(label=HOSTILE[0], suite=HOSTILE[3], device=HOSTILE[1]), tmp_path / "hostile")
    for scheme, width, script in (("light", 1366, True), ("dark", 390, True), ("light", 390, False)):
        way = {
            "color_scheme": scheme,
            "viewport": {"width": width, "height": 900},
            "java_script_enabled": script,
        }
        for path in [*pages_of(tmp_path / "plain"), *pages_of(tmp_path / "hostile")]:
            page = opened(Path(path), **way)
            assert page.locator("h1").is_visible()
            if script:
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
        page = opened(tmp_path / "plain" / "index.html", **way)
        page.get_by_role("link", name="page", exact=True).first.click()
        assert page.locator(".board tbody tr", has_text="does not fit").first.is_visible()
        page.get_by_role("link", name="cpu 2", exact=True).click()
        assert page.locator("h1", has_text="Take full").is_visible()
