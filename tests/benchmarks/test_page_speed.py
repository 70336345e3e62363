"""The page at the sizes it is made for: how long it takes to write, and to sort in a browser."""

import copy
import json
import shutil
import subprocess
import time

import pytest
from ftbench.records.run_files import PLAN_SCHEMA
from ftbench.records.store import collector_paused, read_records, record_files
from ftbench.reporting import summarise

from docs.tools.page_picture import OPTIONS
from ftbench_plugins.reports.page import render
from tests.conftest import FTBENCH
from tests.reports.synthetic import trials


def seconds(call):
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def test_ten_thousand_records_become_a_page_in_less_time_than_their_json_is_loaded_and_copied(tmp_path):
    run = written(tmp_path / "run", trials(100, 10, 10))
    reading, summing, writing, size = reported(run)
    command, _ = seconds(
        lambda: subprocess.run([FTBENCH, "report", run, "-f", "html"], check=True, capture_output=True)
    )
    loading, tables = seconds(lambda: [json.loads(path.read_text()) for path in record_files(run)])
    copying, _ = seconds(lambda: copy.deepcopy(tables))
    print(
        f"\n{len(tables):,} records: read in {reading:.1f} s, summed up in {summing:.1f} s, written in {writing:.1f} s, "
        f"{size / 1e6:.1f} MB; the whole command {command:.1f} s; json.loads {loading:.1f} s, copy.deepcopy {copying:.1f} s"
    )
    assert summing + writing < loading + copying


def reported(run):
    """Give the seconds of reading, summing up and writing, and the size of the page."""
    summarise(trials(3, 3))  # what is imported once is not timed
    with collector_paused():
        reading, records = seconds(lambda: read_records(record_files(run)))
        summing, summary = seconds(lambda: summarise(records))
        writing, page = seconds(lambda: render(summary))
    return reading, summing, writing, len(page)


def written(run, records):
    """Leave records in a run directory with its plan."""
    for record in records:
        folder = run / "trials" / record.id / record.environment
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(record.to_json())
    places = [
        [r.trial["target"], r.trial["backbone"]["label"], r.trial["strategy"]["label"], r.trial["seed"]]
        for r in records
    ]
    plan = {
        "schema": PLAN_SCHEMA,
        "trials": [r.id for r in records],
        "environment": records[0].environment,
        "places": places,
    }
    (run / "plan.json").write_text(json.dumps(plan))
    return run


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
        rows = page.locator("#board tbody tr:not(.group, .more)").count()
        timed = "(act) => { const began = performance.now(); act(); return performance.now() - began; }"
        times = [
            page.evaluate(f"({timed})(() => document.querySelectorAll('#board thead button')[{place}].click())")
            for place in (1, 0, 5, 1)
        ]
        moving = page.evaluate(
            f"({timed})(() => document.querySelectorAll('#board tbody').forEach((body) => body.append(...[...body.rows].reverse())))"
        )
        browser.close()
    print(
        f"\n{rows:,} rows: opened in {opening:.1f} s, sorted in {', '.join(f'{one:.0f}' for one in times)} ms, moved in {moving:.0f} ms"
    )
    assert rows == 1000
    assert sorted(times)[1] < 5 * max(moving, 1)
