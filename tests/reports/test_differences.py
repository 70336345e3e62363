"""Charts of differences: the numbers of the summary, with undecided differences marked."""

import re

import pytest
from ftbench.reporting import summarise

from ftbench_reports.charts import pareto_chart
from ftbench_reports.heat import heat_map
from ftbench_reports.palette import looks
from ftbench_reports.rows import forest, rank_chart
from tests.reports.test_page import RECORDS, record, with_memory

SOUNDS = [
    record(name, seed, score, target="sounds")
    for name, scores in (("full", (0.5, 0.51, 0.52)), ("lora", (0.4, 0.62, 0.55)))
    for seed, score in enumerate(scores)
]
SUMMARY = summarise([*RECORDS, *SOUNDS])
LOOKS = looks(SUMMARY.strategies)


def test_the_map_has_a_cell_for_every_score_and_none_for_what_has_none():
    found = heat_map(SUMMARY)
    rows = dict(found.rows)
    assert found.columns == ("digits", "sounds")
    assert [cell.text for cell in rows["full"]] == ["0", "0"]
    assert [cell.text for cell in rows["lora"]] == ["-19.0", "+1.3"]
    assert rows["bad"] == (None, None)


def test_a_difference_that_was_not_shown_is_hatched_and_says_so():
    shown, unsure = dict(heat_map(SUMMARY).rows)["lora"]
    assert (shown.kind, shown.word) == ("down3", "worse")
    assert (unsure.kind, unsure.word) == ("up1 unsure", "undecided")


def test_one_task_has_no_map():
    assert heat_map(summarise(RECORDS)) is None


def test_the_numbers_of_a_forest_plot_are_the_summarys_seed_by_seed():
    target = SUMMARY.targets[0]
    (row,) = forest(target, LOOKS).rows
    lora = next(c for c in target.contenders if c.label == "lora")
    known = lora.against_baseline.estimate
    assert row[:3] == ("lora", f"{100 * known.mean:+.1f}", f"[{100 * known.low:+.1f}, {100 * known.high:+.1f}]")
    assert row[6:] == ("-20.0", "-19.0", "-18.0")
    assert list(lora.against_by_seed.values()) == pytest.approx([-0.2, -0.19, -0.18])
    assert sum(lora.against_by_seed.values()) / 3 == pytest.approx(known.mean)


def test_a_forest_plot_shows_the_margin_of_equivalence_and_a_dot_a_seed():
    drawn = forest(SUMMARY.targets[0], LOOKS).drawings[0][1]
    assert drawn.count('class="band"') == 1
    (dots,) = re.findall(r'<path d="([^"]*)" class="dots', drawn)
    assert dots.count("h0") == 3


def test_ranks_are_the_summarys():
    found = rank_chart(SUMMARY.ranking, LOOKS)
    assert [(row[0], row[1]) for row in found.rows] == [
        (one.strategy, f"{one.rank:.1f}") for one in SUMMARY.ranking.entries
    ]
    assert rank_chart(summarise(RECORDS).ranking, LOOKS) is None


def test_a_memory_axis_ends_in_a_wall_with_those_who_did_not_fit():
    target = summarise([with_memory(r) for r in RECORDS]).targets[0]
    walled, free = (pareto_chart(target, cost, LOOKS) for cost in ("peak_allocated_memory", "trainable_parameters"))
    assert "bad: out of memory" in walled
    assert "Out of memory: bad." in walled
    assert "wall" not in free
