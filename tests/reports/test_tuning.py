"""The section on tuning: what it changed and what it cost."""

import csv
import re

from ftbench_plugins.reports.markdown import MarkdownReport
from ftbench_plugins.reports.page import render
from ftbench_plugins.reports.palette import looks
from ftbench_plugins.reports.table import CsvReport
from ftbench_plugins.reports.tuning import change_table, choice_table, rate_curves, tuned_targets
from tests.support.made_tuning import finals, summed, tries

COMPARED = [*finals("full", (0.90, 0.91, 0.92)), *finals("lora", (0.80, 0.82, 0.81), 1e-2)]
TUNING = [
    *tries("full", (0.5, 0.9, None)),
    *tries("lora", (0.4, 0.6, 0.8)),
    *finals("lora", (0.60, 0.61, 0.59), role="default"),
]


def test_the_page_has_a_section_on_tuning_only_where_something_was_tuned():
    page = render(summed(COMPARED, TUNING))
    assert '<section id="tuning"' in page
    assert "Tuning improved lora by +21.0 points [+19.0, +23.0] on this test set." in page
    assert "Tuning took 6 tuning trials, 12.0 s of training, 24.0 s of wall time and 3 USD." in page
    assert "energy of the tuning trials: not measured: no NVIDIA driver." in page
    assert 'id="tuning"' not in render(summed(COMPARED, []))


def test_the_curve_has_a_point_for_each_rate_with_a_score_and_a_ring_around_the_chosen_one():
    summary = summed(COMPARED, TUNING)
    ((label, found),) = tuned_targets(summary)
    figure = rate_curves(label, found, looks(summary.strategies))
    chart = str(figure.drawings[0][1])
    lines = re.findall(r'<polyline points="([^"]+)"', chart)
    assert [len(line.split()) for line in lines] == [2, 3]
    assert chart.count("<circle") == 2
    assert ">accuracy, %<" in chart
    assert [row[2] for row in figure.rows] == ["50.0 %", "90.0 %", "–", "40.0 %", "60.0 %", "80.0 %"]
    assert figure.rows[2][3] == "error: too fast"


def test_a_row_has_every_figure_of_its_strategy():
    ((_, found),) = tuned_targets(summed(COMPARED, TUNING))
    lora = {}
    for headings, rows in (change_table(found), choice_table(found)):
        lora |= dict(zip(headings, rows[1], strict=True))
    assert lora["chosen"] == "lr 0.01"
    assert lora["untuned values"] == "lr 0.001"
    assert (lora["untuned"], lora["best"]) == ("60.0 %", "80.0 %")
    assert lora["expected best of 1, half, all"] == "60.0 %, 68.9 %, 73.3 %"
    assert lora["median gap to best"] == "20.0 points"
    assert lora["change"] == "+21.0 points [+19.0, +23.0], better"
    assert (lora["time"], lora["energy"], lora["cost"]) == ("12.0 s", "–", "1.5 USD")


def test_markdown_and_csv_carry_it_too(tmp_path):
    summary = summed(COMPARED, TUNING)
    text = MarkdownReport().write(summary, tmp_path).read_text()
    assert "## Tuning on digits" in text
    assert "| lora | 3 tries, grid | lr 0.01 | 60.0 %" in text
    with CsvReport().write(summary, tmp_path).open() as stream:
        rows = [
            row
            for row in csv.DictReader(stream)
            if row["strategy"] == "lora" and row["measurement"].startswith("tuning_")
        ]
    by_name = {row["measurement"]: row for row in rows}
    assert float(by_name["tuning_best"]["mean"]) == 0.8
    assert by_name["tuning_best"]["scope"] == "validation"
    assert float(by_name["tuning_seconds"]["total"]) == 12.0
    assert float(by_name["tuning_training"]["total"]) == 6.0
    assert by_name["tuning_energy"]["reason"] == "no NVIDIA driver"
    assert len([row for row in rows if row["measurement"] == "tuning_try"]) == 3


def test_who_was_tuned_with_another_budget_is_marked_and_stands_last():
    compared = [*COMPARED, *finals("adapter", (0.5, 0.51, 0.52))]
    tuning = [
        *tries("full", (0.5, 0.9, 0.7)),
        *tries("adapter", (0.5, 0.9, 0.7)),
        *tries("lora", (0.4, 0.6, 0.8), budget="30 tries"),
    ]
    page = render(summed(compared, tuning))
    board = page[page.index('id="board"') :]
    assert board.index("</svg><span>adapter") < board.index("</svg><span>lora")
    assert "not comparable</span>" in board
    assert "tuned with 30 tries, the others with 3 tries" in board
