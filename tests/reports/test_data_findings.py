"""Findings of the data check: a red band above the answer if there are errors, and a section with all of them."""

import re
import shutil
from dataclasses import replace

import pytest
from ftbench.cli.verdict_table import print_verdicts
from ftbench.reporting import Flaw, TaskFlaws, data_counts, data_errors, summarise

from ftbench_plugins.reports.markdown import MarkdownReport
from ftbench_plugins.reports.page import render
from tests.support.made_records import RECORDS

LEAK = Flaw("error", "same input in two splits", 1300, ("train.csv line 2 = test.csv line 9",), "remove them")
EMPTY = Flaw("warning", "input empty", 1, ("data.csv line 4",), "remove these rows")
ONCE = Flaw("note", "same input more than once", 7, (), "remove them unless this is intended")
FOUND = (TaskFlaws("digits", (LEAK, EMPTY, ONCE)), TaskFlaws("words", (EMPTY,)), TaskFlaws("sounds", ()))


def with_data(*tasks):
    return replace(summarise(RECORDS), data=tasks)


def words_of(page):
    """Return the text of a page without its style, script and markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", page)).split())


def test_errors_are_a_band_above_the_answer():
    page = render(with_data(*FOUND))
    band = page.index('class="alarm"')
    assert band < page.index("<h1>")
    assert data_errors(FOUND) in words_of(page)
    assert data_errors(FOUND) == (
        "Errors in the data of digits (1,300 × same input in two splits): do not rely on its scores."
    )
    assert 'class="alarm"' not in render(with_data(FOUND[1]))


def test_every_finding_is_in_the_section_with_its_count_examples_and_advice():
    text = words_of(render(with_data(*FOUND)))
    assert "error 1,300 × same input in two splits : train.csv line 2 = test.csv line 9 remove them" in text
    assert "note 7 × same input more than once remove them unless this is intended" in text
    assert text.count("1 × input empty") == 2


@pytest.mark.parametrize("tasks", [(), (FOUND[2],)], ids=["not checked", "nothing found"])
def test_the_section_is_left_out_if_there_is_nothing_to_say(tasks, tmp_path):
    summary = with_data(*tasks)
    assert "data-check" not in render(summary)
    assert "## Data" not in MarkdownReport().write(summary, tmp_path).read_text()


def test_text_of_a_finding_stays_text():
    hostile = '<img src=x onerror="alert(1)">'
    page = render(with_data(TaskFlaws(hostile, (Flaw("error", hostile, 1, (hostile,), hostile),)), FOUND[1]))
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 4


def test_markdown_begins_with_errors_and_lists_all(tmp_path):
    text = MarkdownReport().write(with_data(*FOUND), tmp_path).read_text()
    assert text.splitlines()[2] == f"**{data_errors(FOUND)}**"
    assert "* digits: **note**: 7 × same input more than once; remove them unless this is intended" in text


def test_the_terminal_counts_them_on_one_line(capsys):
    print_verdicts(with_data(*FOUND))
    printed = capsys.readouterr().out
    assert data_errors(FOUND) in printed
    assert "data: 1 error, 2 warnings, 1 note; `ftbench data check` lists them" in printed
    assert data_counts(()) == ""


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_page_with_errors(shown, axe, scheme):
    many = tuple(Flaw("error", f"kind {n}", n, (f"{'long-name-' * 30}.wav",) * 3, "advice") for n in range(9))
    with shown(render(with_data(*FOUND, TaskFlaws("x" * 64, many))), color_scheme=scheme) as page:
        assert axe(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
