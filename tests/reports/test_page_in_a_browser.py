"""The page in Chromium: light and dark, narrow, with its script and without."""

import json
import shutil

import pytest
from ftbench.records.record import record_adapter
from ftbench.reporting import summarise

from ftbench_reports.page import render
from tests.reports.test_page import RECORDS, record, with_memory

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
        f"[...document.querySelectorAll('#board tbody')][{body}].querySelectorAll('tr:not(.group):not([hidden]) th')"
        ".values().map((cell) => cell.childNodes[1].data).toArray()"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_without_a_request_or_an_error(opened, scheme):
    with opened(color_scheme=scheme, viewport={"width": 390, "height": 900}) as page:
        assert page.locator("table").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator(".verdict p").first.inner_text().startswith("full has the highest")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(16, 20, 26)" if scheme == "dark" else "rgb(255, 255, 255)"
        )


def test_the_leaderboard_fits_a_page_of_1200_pixels(opened):
    with opened(SEVERAL, viewport={"width": 1200, "height": 900}) as page:
        assert page.evaluate(
            "document.querySelector('.board').scrollWidth <= document.querySelector('.board').clientWidth"
        )


def test_without_scripting_everything_is_there_but_the_tools(opened):
    with opened(java_script_enabled=False) as page:
        assert page.locator("#board tbody tr").count() == 4
        assert page.locator("#board", has_text="does not fit").is_visible()
        assert not page.locator(".tools").first.is_visible()
        assert page.locator("svg.chart").first.is_visible()


def test_a_click_or_a_key_sorts_each_task_and_says_so(opened):
    with opened(SEVERAL) as page:
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
        page.locator("#f-task").select_option("t1")
        assert page.locator("#said").inner_text() == "1 row shown"
        page.locator("#f-task").select_option("")
        page.locator("#f-text").fill("")
        page.locator("#f-status").select_option("lost")
        assert names(page) == ["bad"]


def test_a_pinned_baseline_shows_the_difference_the_other_way_round(opened):
    with opened() as page:
        difference = page.locator("#board tr", has=page.locator("th", has_text="full")).locator("td").nth(1)
        assert difference.inner_text() == "baseline"
        page.locator("#f-pin").select_option("lora")
        assert difference.inner_text().split() == ["+19.0", "[+16.5,", "+21.5]", "better"]
        page.locator("#f-pin").select_option("")
        assert difference.inner_text() == "baseline"


def test_a_cost_tells_its_interval_and_n_when_pointed_at(opened):
    with opened() as page:
        cost = page.locator("#board tr", has=page.locator("th", has_text="full")).locator("td").nth(4)
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
        assert copied["csv"].splitlines()[1].startswith('digits,full,"91.0 % [88.5, 93.5]')
        assert "| digits | full | 91.0 % " in copied["markdown"]
        assert r"digits & full & 91.0 \%" in copied["latex"]
        assert copied["latex"].rstrip().endswith(r"\end{tabular}")


def panel(page):
    return page.locator("#panel svg")


def test_the_panel_draws_the_front_of_who_is_shown(opened):
    more = [record("tiny", seed, 0.6 + seed / 100, params=10.0) for seed in range(3)]
    with opened([*RECORDS, *more]) as page:
        assert panel(page).get_attribute("aria-label").endswith("On the front: tiny, lora, full.")
        page.locator("#f-text").fill("-lora")
        assert panel(page).get_attribute("aria-label").endswith("On the front: tiny, full.")
        assert panel(page).locator("use").count() == 2


def test_the_panel_switches_its_axis_between_linear_and_logarithmic(opened):
    def distances(page):
        first, second, third = sorted(
            float(x) for x in panel(page).locator("use").evaluate_all("all => all.map((one) => one.getAttribute('x'))")
        )
        return (second - first) / (third - first)

    records = [
        record(name, seed, 0.7 + seed / 100, params=params)
        for name, params in (("a", 10.0), ("b", 100.0), ("c", 1000.0))
        for seed in range(3)
    ]
    with opened(records) as page:
        assert distances(page) == pytest.approx(0.5)
        page.locator("#p-log").uncheck()
        assert distances(page) == pytest.approx(90 / 990)


def test_who_ran_out_of_memory_stands_behind_a_wall(opened):
    measured = [with_memory(r) for r in RECORDS]
    with opened(measured) as page:
        page.locator("#p-cost").select_option(label="peak memory, device")
        assert panel(page).get_attribute("aria-label").endswith("Out of memory: bad.")
        assert panel(page).locator("rect.wall").count() == 1


def test_two_picked_strategies_show_only_what_differs_between_them(opened):
    with opened() as page:
        page.locator("details.settings summary").click()
        page.locator("details.settings select").last.select_option("lora")
        shown = page.locator("details.settings tr:visible")
        assert [row.split() for row in shown.all_inner_texts()] == [
            ["setting", "full", "lora"],
            ["strategy.use", '"full"', '"lora"'],
        ]


def test_everything_can_be_done_by_keys_alone(opened):
    measured = [with_memory(r) for r in SEVERAL]
    with opened(measured) as page:
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
        page.locator("#p-cost").focus()
        before = panel(page).get_attribute("aria-label")
        page.keyboard.press("ArrowDown")
        assert panel(page).get_attribute("aria-label") != before
        page.locator("#p-log").focus()
        ticked = page.locator("#p-log").is_checked()
        page.keyboard.press("Space")
        assert page.locator("#p-log").is_checked() != ticked
        page.locator("details.menu summary").focus()
        page.keyboard.press("Enter")
        column = page.locator("#columns input").nth(1)
        column.focus()
        page.keyboard.press("Space")
        assert not page.locator("#board thead th").nth(2).is_visible()


def test_every_control_has_a_visible_focus(opened):
    with opened(SEVERAL) as page:
        page.keyboard.press("Tab")
        for _ in range(30):
            outline = page.evaluate(
                "(() => { const s = getComputedStyle(document.activeElement);"
                " return [s.outlineStyle, s.outlineWidth]; })()"
            )
            assert outline[0] != "none"
            assert outline[1] != "0px"
            page.keyboard.press("Tab")


def test_names_of_points_in_the_panel_stand_on_nothing_else(opened):
    close = [
        record(f"strategy-{k}", seed, 0.8 + seed / 1000, params=1000.0 * 1.5**k) for k in range(12) for seed in range(3)
    ]
    with opened(close) as page:
        boxes = (
            panel(page)
            .locator("text.label.halo")
            .evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
        )
        assert boxes
        for place, one in enumerate(boxes):
            for other in boxes[:place]:
                assert (
                    one["right"] < other["left"]
                    or one["left"] > other["right"]
                    or one["bottom"] - 3 < other["top"]
                    or one["top"] > other["bottom"] - 3
                )


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
        assert by_seconds[1].startswith("M184 ")
        assert by_seconds[2] == by_steps[2] == "324"
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
