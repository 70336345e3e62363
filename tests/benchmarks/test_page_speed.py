"""The page at the sizes it is made for: how long it takes to write, and to sort in a browser."""

import shutil
import time

import pytest
from ftbench import summarise

from ftbench_reports.page import render
from tests.page_picture import OPTIONS
from tests.reports.synthetic import trials


def seconds(call):
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def test_writing_the_page_of_ten_thousand_records_takes_no_longer_than_reading_them(tmp_path):
    records = trials(100, 10, 10)
    texts = [record.to_json() for record in records]
    summarise(trials(3, 3))  # what is imported once is not timed
    reading, _ = seconds(lambda: [type(records[0]).from_json(text) for text in texts])
    summing, summary = seconds(lambda: summarise(records))
    writing, page = seconds(lambda: render(summary))
    print(
        f"\n{len(records):,} records: read in {reading:.1f} s, summed up in {summing:.1f} s, written in {writing:.1f} s, {len(page) / 1e6:.1f} MB"
    )
    assert writing < reading


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_sorting_a_thousand_rows_costs_a_few_times_what_moving_them_does(tmp_path):
    from playwright.sync_api import sync_playwright

    file = tmp_path / "report.html"
    file.write_text(render(summarise(trials(500, 3, 2, failing=False))), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        page = browser.new_page()
        opening, _ = seconds(lambda: page.goto(file.as_uri()))
        rows = page.locator("#board tbody tr:not(.group)").count()
        timed = "(act) => { const began = performance.now(); act(); return performance.now() - began; }"
        times = [
            page.evaluate(f"({timed})(() => document.querySelectorAll('#board thead button')[{place}].click())") for place in (1, 0, 5, 1)
        ]
        moving = page.evaluate(
            f"({timed})(() => document.querySelectorAll('#board tbody').forEach((body) => body.append(...[...body.rows].reverse())))"
        )
        browser.close()
    print(f"\n{rows:,} rows: opened in {opening:.1f} s, sorted in {', '.join(f'{one:.0f}' for one in times)} ms, moved in {moving:.0f} ms")
    assert rows == 1000
    assert sorted(times)[1] < 5 * max(moving, 1)
