"""The page in Chromium: light and dark, narrow, with its script and without."""

import json
import shutil
from dataclasses import replace

import pytest
from ftbench import Measurement
from ftbench.records.record import record_adapter
from ftbench.reporting import summarise

from ftbench_plugins.reports.page import render
from tests.support.made_records import RECORDS, record, with_memory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]
SEVERAL = [
    *RECORDS,
    *(
        record(name, seed, score + seed / 100, target="sounds")
        for name, score in (("full", 0.5), ("lora", 0.8))
        for seed in range(3)
    ),
]


@pytest.fixture
def opened(shown):
    return lambda records=RECORDS, **context: shown(render(summarise(records)), **context)


def unchecked(text):
    """Read a record with labels that no suite file allows; the page must not rely on that check."""
    return record_adapter().validate_python(json.loads(text))


def names(page, body=0):
    return page.evaluate(
        f"[...document.querySelectorAll('#board tbody')][{body}].querySelectorAll('tr:not(.group, .more, [hidden]) th')"
        ".values().map((cell) => cell.querySelector('span').textContent).toArray()"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_without_a_request_or_an_error(opened, scheme):
    with opened(color_scheme=scheme, viewport={"width": 390, "height": 900}) as page:
        assert page.locator("table").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator("h1").inner_text() == "Take full: accuracy 91.0 %, 9.0 k trained parameters."
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(15, 20, 27)" if scheme == "dark" else "rgb(246, 247, 249)"
        )


def test_the_leaderboard_fits_a_page_of_1200_pixels(opened):
    with opened(SEVERAL, viewport={"width": 1200, "height": 900}) as page:
        assert page.evaluate(
            "document.querySelector('.board').scrollWidth <= document.querySelector('.board').clientWidth"
        )


@pytest.mark.parametrize("width", [390, 1366])
def test_a_row_of_the_leaderboard_is_one_line(opened, width):
    with opened(SEVERAL, viewport={"width": width, "height": 900}) as page:
        heights = page.locator("#board tr:visible:not(.group)").evaluate_all(
            "all => all.slice(1).map((one) => one.getBoundingClientRect().height)"
        )
        assert len(heights) >= 5
        assert max(heights) <= 34


def test_without_scripting_everything_is_there_but_the_tools(opened):
    with opened(SEVERAL, java_script_enabled=False, viewport={"width": 1366, "height": 900}) as page:
        assert page.locator("#board tbody tr:not(.group, .more)").count() == 5
        assert page.locator("#board .missing", has_text="does not fit").is_visible()
        assert not page.locator(".tools").first.is_visible()
        assert page.locator("svg.chart").first.is_visible()
        assert page.locator(".card:visible").count() == 2
        page.get_by_text("sounds", exact=True).first.click()
        assert page.locator(".card:visible h2").all_inner_texts() == ["sounds vision"]
        assert page.locator("#board tbody:visible").count() == 1
        page.get_by_text("overview", exact=True).click()
        assert page.locator(".card:visible").count() == 0
        assert page.locator("#overview").is_visible()
        details = page.locator("#board .more")
        assert details.locator("visible=true").count() == 0
        page.locator("#board th label").first.click()
        assert details.locator("visible=true").count() == 1


def test_a_click_or_a_key_sorts_each_task_and_says_so(opened):
    with opened(SEVERAL, viewport={"width": 1366, "height": 900}) as page:
        assert names(page) == ["full", "lora", "bad"]
        button = page.locator("#board thead button", has_text="trainable")
        button.focus()
        page.keyboard.press("Enter")
        assert page.locator("th[aria-sort=descending]").inner_text().strip().startswith("trainable")
        page.keyboard.press("Enter")
        assert names(page) == ["lora", "full", "bad"]
        assert page.locator("th[aria-sort=ascending]").count() == 1
        assert page.locator("#said").inner_text() == "Sorted by trainable, ascending"


def test_a_filter_leaves_what_it_says(opened):
    with opened(SEVERAL) as page:
        page.locator("#f-text").fill("LoRA")
        assert names(page) == names(page, 1) == ["lora"]
        assert page.locator("#said").inner_text() == "2 rows shown"
        page.locator("#f-text").fill("-lora")
        assert names(page) == ["full", "bad"]
        page.locator("#f-text").fill("")
        assert len(names(page)) == 3


def test_a_family_is_filtered(shown):
    families = {"full": "all weights", "lora": "low-rank & scaling"}
    summary = summarise(SEVERAL)
    targets = tuple(
        replace(t, contenders=tuple(replace(c, family=families.get(c.label, "other")) for c in t.contenders))
        for t in summary.targets
    )
    with shown(render(replace(summary, targets=targets)), viewport={"width": 1366, "height": 900}) as page:
        page.locator("#f-family").select_option("low-rank & scaling")
        assert names(page) == names(page, 1) == ["lora"]
        page.locator("#f-family").select_option("other")
        assert names(page) == ["bad"]


def row_of(page, name):
    return page.locator("#board tbody").first.locator("tr:not(.more)", has=page.locator("th", has_text=name))


def test_a_pinned_baseline_shows_the_difference_the_other_way_round(opened):
    with opened(viewport={"width": 1366, "height": 900}) as page:
        difference = row_of(page, "full").locator("td").nth(2)
        assert difference.inner_text().strip() == "baseline"
        page.locator("#f-pin").select_option("lora")
        assert difference.inner_text().split() == ["+19.0", "better"]
        assert "corrected over all pairs" in difference.get_attribute("title")
        assert "base" in row_of(page, "lora").get_attribute("class")
        page.locator("#f-pin").select_option("")
        assert difference.inner_text().strip() == "baseline"


def test_the_row_of_the_baseline_and_the_head_stay_in_view(opened):
    many = [
        record(f"s{k:02}", seed, 0.9 - k / 100 + seed / 1000, params=1000.0 + k) for k in range(40) for seed in range(3)
    ]
    with opened([*many, *RECORDS], viewport={"width": 1366, "height": 600}) as page:
        page.locator("#board tr", has_text="s30").first.scroll_into_view_if_needed()
        tops = page.evaluate(
            "['#board thead th', '#board .base th'].map((one) => "
            "document.querySelector(one).getBoundingClientRect().top)"
        )
        assert tops[0] == pytest.approx(0, abs=1)
        assert 0 < tops[1] < 600


def test_the_address_keeps_the_state(shown):
    page_text = render(summarise(SEVERAL))
    with shown(page_text, viewport={"width": 1366, "height": 900}) as page:
        page.get_by_text("sounds", exact=True).first.click()
        page.locator("#board thead button", has_text="strategy").click()
        page.locator("#f-text").fill("lo")
        address = page.evaluate("location.hash")
        assert set(address[1:].split("&")) == {"task=sounds", "sort=strategy", "up=1", "search=lo"}
        page.reload()
        assert page.locator(".card:visible h2").all_inner_texts() == ["sounds vision"]
        assert page.locator("th[aria-sort=ascending]").inner_text().strip().startswith("strategy")
        assert names(page, 1) == ["lora"]
        page.get_by_text("all tasks", exact=True).click()
        assert "task=" not in page.evaluate("location.hash")


def test_another_cost_takes_another_strategy(shown):
    def with_time(r):
        spent = Measurement("train_time", {"full": 1.0, "lora": 9.0}.get(r.trial["strategy"]["use"], 5.0), "s", "lower")
        return replace(r, measurements=(*r.measurements, spent)) if r.status == "ok" else r

    close = [
        with_time(with_memory(record(name, seed, 0.8 + (seed * step) / 100, params=params)))
        for name, params, step in (("full", 9000.0, 1), ("lora", 1000.0, 1.2))
        for seed in range(3)
    ]
    summary = summarise(close)
    assert set(summary.targets[0].answer.possible) == {"full", "lora"}
    with shown(render(summary), java_script_enabled=False, viewport={"width": 1366, "height": 900}) as page:
        taken = page.locator(".pick:visible")
        page.get_by_text("parameters", exact=True).first.click()
        assert taken.all_inner_texts() == ["lora"]
        assert page.locator("h1").inner_text().startswith("Take lora")
        page.get_by_text("time", exact=True).first.click()
        assert taken.all_inner_texts() == ["full"]
        assert page.locator("h1").inner_text().startswith("Take full")
        assert page.locator(".trade svg:visible").count() == 1


def test_a_strategy_lights_up_in_all_charts(opened):
    many = [record(f"s{k}", seed, 0.5 + k / 100 + seed / 1000) for k in range(9) for seed in range(3)]
    with opened(many, viewport={"width": 1366, "height": 900}) as page:
        assert page.locator("g.lit").count() == 0
        page.locator("select.light").select_option("s3")
        lit = page.locator("g.lit > title").all_text_contents()
        assert len(lit) >= 3
        assert {one.split(": ")[0] for one in lit} == {"s3"}


def test_a_cost_tells_its_interval_and_n_when_pointed_at(opened):
    with opened(viewport={"width": 1366, "height": 900}) as page:
        cost = row_of(page, "full").locator("td").nth(3)
        assert cost.inner_text() == "9.0 k"
        assert cost.get_attribute("title") is None
        cost.hover()
        assert cost.get_attribute("title") == "9.0 k, n = 3"


def test_what_is_shown_is_copied(opened):
    with opened(permissions=["clipboard-read", "clipboard-write"]) as page:
        copied = {}
        for form in ("csv", "markdown", "latex"):
            page.locator(f"[data-copy={form}]").click()
            page.wait_for_function("document.querySelector('#said').textContent.startsWith('Copied')")
            copied[form] = page.evaluate("navigator.clipboard.readText()")
        assert copied["csv"].splitlines()[1].startswith("digits,full,1,91.0,baseline,9.0 k")
        assert "| digits | full | 1 | 91.0 | baseline |" in copied["markdown"]
        assert r"digits & full & 1 & 91.0 & baseline &" in copied["latex"]
        assert copied["latex"].rstrip().endswith(r"\end{tabular}")


def test_two_picked_strategies_show_only_what_differs_between_them(opened):
    with opened() as page:
        page.locator("#settings > summary").click()
        page.locator("details.settings summary").click()
        page.locator("details.settings select").last.select_option("lora")
        shown = page.locator("details.settings tr:visible")
        assert [row.split() for row in shown.all_inner_texts()] == [
            ["setting", "full", "lora"],
            ["strategy.use", '"full"', '"lora"'],
        ]


def test_everything_can_be_done_by_keys_alone(opened):
    measured = [with_memory(r) for r in SEVERAL]
    with opened(measured, viewport={"width": 1366, "height": 900}) as page:
        page.locator("#f-text").focus()
        page.keyboard.type("lora")
        assert names(page) == names(page, 1) == ["lora"]
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        page.locator("#f-pin").focus()
        page.keyboard.press("ArrowDown")
        pinned = page.locator("#f-pin").input_value()
        assert pinned
        assert page.locator("#said").inner_text() == f"Differences to {pinned}"
        page.locator("#t-all").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#overview").is_visible()
        page.keyboard.press("ArrowLeft")
        page.locator("#board th input").first.focus()
        page.keyboard.press("Space")
        assert page.locator("#board .more").first.is_visible()
        page.locator("details.menu summary").focus()
        page.keyboard.press("Enter")
        column = page.locator("#columns input").first
        column.focus()
        page.keyboard.press("Space")
        assert not page.locator("#board thead th").nth(4).is_visible()


def test_every_control_has_a_visible_focus(opened):
    with opened(SEVERAL) as page:
        page.keyboard.press("Tab")
        for _ in range(30):
            # A radio button shows its focus on its label.
            outline = page.evaluate(
                "(() => { const a = document.activeElement, s = getComputedStyle(a.type === 'radio' ? a.parentElement : a);"
                " return [s.outlineStyle, s.outlineWidth]; })()"
            )
            assert outline[0] != "none"
            assert outline[1] != "0px"
            page.keyboard.press("Tab")


def test_curves_are_drawn_against_steps_or_seconds(opened):
    timed = [
        unchecked(
            r.to_json()
            .replace('"step": 1.0,', '"step": 1.0, "seconds": 0.5,')
            .replace('"step": 2.0,', '"step": 2.0, "seconds": 1.0,')
        )
        for r in RECORDS
    ]
    with opened(timed) as page:
        drawn = page.locator("#curves .charts svg")
        line = drawn.locator("path.curve").first

        def seen():
            """Return the label of the axis, the line, and the position of its marker."""
            (axis,) = drawn.locator("g.m:visible .label").all_text_contents()
            return axis, line.get_attribute("d"), line.evaluate("(one) => one.nextElementSibling.getAttribute('x')")

        by_steps = seen()
        page.locator("#c-axis").select_option("seconds")
        by_seconds = seen()
        page.locator("#c-axis").select_option("steps")
        assert (by_steps[0], by_seconds[0]) == ("optimizer steps", "seconds of training")
        # Half a second a step: the same places on an axis of another name, the first line written from place to place.
        assert by_seconds[1].startswith("M146 ")
        assert by_seconds[2] == by_steps[2] == "248"
        assert seen() == by_steps


HOSTILE = [
    "</script><script>alert(1)</script>",
    "\u202e\u2028'\"`${1}",
    "🦆" * 20,
    "x" * 10_000,
    "NaN",
    "__proto__",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "a\u0000b\tc\nd",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_that_is_hostile_everywhere_runs_nothing_and_breaks_nothing(shown, text):
    """Hostile suite, task, strategy, class, message, log, licence and predictions, all at once."""
    inside = json.dumps(text)[1:-1]
    records = []
    for r in SEVERAL:
        written = r.to_json()
        for word in ("page", "digits", "lora", "why", "MIT", "Traceback <b>", "vision"):
            written = written.replace(f'"{word}"', f'"{inside}{word}"')
        records.append(unchecked(written.replace('"a",\n', f'"{inside}",\n')))
    summary = summarise(records, log=lambda _: f"{text} log")
    with shown(render(summary), viewport={"width": 390, "height": 900}) as page:
        assert f"{text}lora".replace("\0", "") in names(page)  # a parser of HTML leaves that one out
        dialogs = []
        page.on("dialog", lambda one: dialogs.append(one.message))
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.locator("#f-pin").select_option(index=1)
        page.locator("#board thead button").first.dispatch_event("click")
        page.wait_for_timeout(50)
        assert dialogs == []
        assert (
            page.locator("script, style, iframe, object, embed, img, link").count()
            == page.locator("head style, head link, body > script").count()
        )
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.evaluate("({}).polluted === undefined && Object.prototype.constructor === Object")
