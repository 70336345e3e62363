"""Charts of differences: the numbers of the summary, and those of the overview."""

import re

import pytest
from ftbench.reporting import summarise

from ftbench_plugins.reports.cards import picks_of
from ftbench_plugins.reports.overview import overview
from ftbench_plugins.reports.palette import looks
from ftbench_plugins.reports.rows import forest, rank_chart
from ftbench_plugins.reports.tradeoff import tradeoff
from tests.support.made_records import RECORDS, record, with_memory

SOUNDS = [
    record(name, seed, score, target="sounds")
    for name, scores in (("full", (0.5, 0.51, 0.52)), ("lora", (0.4, 0.62, 0.55)))
    for seed, score in enumerate(scores)
]
SUMMARY = summarise([*RECORDS, *SOUNDS])
LOOKS = looks(SUMMARY.strategies)


def test_the_overview_has_every_score_and_marks_what_could_be_the_best():
    found = overview(SUMMARY, LOOKS, ("parameters",))
    lines = {line.label: line.cells for line in found.lines}
    assert found.tasks == ("digits", "sounds")
    assert [cell.text for cell in lines["full"]] == ["91.0", "51.0"]
    assert [cell.text for cell in lines["lora"]] == ["72.0", "52.3"]
    assert "bad" not in lines
    for place, target in enumerate(SUMMARY.targets):
        marked = {label for label, cells in lines.items() if cells[place].possible}
        assert marked == (set(target.answer.possible) if target.answer.decided else set())
        picked = picks_of(target, ("parameters",))["parameters"]
        assert [label for label, cells in lines.items() if cells[place].picked] == [picked]


def test_the_overview_fades_with_the_difference_to_the_best_of_the_task():
    lines = {line.label: line.cells for line in overview(SUMMARY, LOOKS, ("parameters",)).lines}
    assert [cell.depth for cell in lines["full"]] == [0, 1]
    assert [cell.depth for cell in lines["lora"]] == [3, 0]


def test_one_task_has_no_overview():
    assert overview(summarise(RECORDS), LOOKS, ()) is None


def test_the_numbers_of_a_forest_plot_are_the_summarys_seed_by_seed():
    target = SUMMARY.targets[0]
    (row,) = forest(target, LOOKS).rows
    lora = next(c for c in target.contenders if c.label == "lora")
    mean, known = lora.against_baseline.estimate.mean, lora.against_interval
    assert row[:3] == ("lora", f"{100 * mean:+.1f}", f"[{100 * known.low:+.1f}, {100 * known.high:+.1f}]")
    assert row[6:] == ("-20.0", "-19.0", "-18.0")
    assert list(lora.against_by_seed.values()) == pytest.approx([-0.2, -0.19, -0.18])
    assert sum(lora.against_by_seed.values()) / 3 == pytest.approx(mean)


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
    walled, free = (tradeoff(target, cost, LOOKS, "full") for cost in ("peak_allocated_memory", "trainable_parameters"))
    assert "out of memory: bad" in walled
    assert "Out of memory: bad." in walled
    assert "wall" not in free
