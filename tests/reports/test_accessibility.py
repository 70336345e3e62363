"""Check the page with axe-core in every mode, and its layout at the supported sizes."""

import re
import shutil
from functools import cache

import pytest
from ftbench.reporting import summarise

from ftbench_plugins.reports.page import render
from tests.reports.synthetic import sequence, trials

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]

WAYS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 780}},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 780}},
    "print": {"color_scheme": "dark", "viewport": {"width": 794, "height": 1123}},
    "scripting off": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
}
DAILY = ("light", "dark phone", "print")
"""Modes checked in every test run; `make test-thorough` checks the others."""
SIZES = [
    pytest.param((8, 1, 1), id="10 trials"),
    pytest.param((10, 5, 2), id="100 trials", marks=pytest.mark.thorough),
    pytest.param((50, 5, 4), id="1000 trials", marks=[pytest.mark.thorough, pytest.mark.timeout(900)]),
]


@cache
def page_of(strategies, seeds, tasks):
    several = [sequence(strategy, seed) for strategy in range(2) for seed in range(seeds)]
    return render(summarise([*trials(strategies, seeds, tasks), *several]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "way", [way if way in DAILY else pytest.param(way, marks=pytest.mark.thorough) for way in WAYS]
)
def test_axe_finds_nothing_and_the_page_is_not_wider_than_the_window(shown, axe, way, size):
    text = page_of(*size)
    if way == "scripting off":
        # axe-core is a script: to check the page without JavaScript, enable scripting and remove the page's script.
        text = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    with shown(text, **WAYS[way]) as page:
        if way == "print":
            page.emulate_media(media="print", color_scheme="light")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert axe(page) == []


def test_axe_finds_faint_text_also_in_a_row_unlike_the_others(shown, axe):
    rows = ["<tr><td>plain</td></tr>"] * 9
    rows[5] = '<tr class="faint"><td>faint</td></tr>'
    with shown(page_of(8, 1, 1)) as page:
        page.evaluate("rows => { document.querySelector('#board tbody').innerHTML = rows }", "".join(rows))
        page.evaluate("document.querySelector('.faint td').style.color = '#ccc'")
        assert "color-contrast" in [name for name, *_ in axe(page)]


@pytest.mark.parametrize("size", SIZES)
def test_every_figure_has_its_numbers_as_a_table(shown, size):
    with shown(page_of(*size), java_script_enabled=False) as page:
        figures = page.locator("figure:not([hidden])")
        assert figures.count() > 5
        without = figures.evaluate_all(
            "all => all.filter((one) => !one.querySelector('table tbody th')).map((one) => one.innerText)"
        )
        assert without == []
