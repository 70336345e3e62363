"""The sections on trials and on settings that differ."""

import re
from dataclasses import replace

from ftbench.meters import Phase, Samples
from ftbench.reporting import summarise

from ftbench_plugins.reports.palette import looks
from ftbench_plugins.reports.trials import over_time, phase_legend, phases, settings_table, trial_table
from tests.support.made_records import RECORDS

SUMMARY = summarise(RECORDS)
TARGET = SUMMARY.targets[0]


def test_every_trial_is_listed_with_how_it_ended():
    headings, rows = trial_table(SUMMARY, TARGET)
    assert headings == ("strategy", "seed", "status", "attempts", "wall time", "trial")
    assert len(rows) == len(RECORDS)
    assert ("bad", "0", "out of memory", "1", "–", "bad0") in rows


def with_options(r, **options):
    strategy = {**r.trial["strategy"], "options": options}
    return replace(r, trial={**r.trial, "strategy": strategy})


def test_only_settings_that_differ_are_listed():
    records = [with_options(r, rank=8 if r.trial["strategy"]["use"] == "lora" else 4, shared=True) for r in RECORDS]
    headings, rows = settings_table(summarise(records).targets[0])
    assert headings == ("setting", "full", "lora", "bad")
    assert rows == [("strategy.use", '"full"', '"lora"', '"bad"'), ("strategy.rank", "4", "8", "4")]


def test_a_setting_that_one_does_not_have_is_empty():
    records = [with_options(r, rank=8) if r.trial["strategy"]["use"] == "lora" else r for r in RECORDS]
    assert ("strategy.rank", "", "8", "") in settings_table(summarise(records).targets[0])[1]


def test_a_phase_has_one_colour_on_every_task():
    first = phases(TARGET, ["load", "train"]).drawings[0][1]
    assert [len(re.findall("M", bars)) for bars in re.findall(r'<path d="([^"]*)" class="l1 bar"', first)] == [2]
    later = phases(TARGET, [f"p{n}" for n in range(7)] + ["train"]).drawings[0][1]
    assert [len(re.findall("M", bars)) for bars in re.findall(r'<path d="([^"]*)" class="l0 bar pale"', later)] == [2]
    assert [re.sub("<.*?>", "", one) for one in phase_legend(["load", "train"]).split("</li>")] == ["load", "train", ""]


def test_phases_that_nobody_could_see_share_a_column():
    long = [
        replace(r, phases=(Phase("train", 100.0), Phase("exit", 0.1), Phase("save", 0.2)))
        for r in RECORDS
        if r.status == "ok"
    ]
    found = phases(summarise(long).targets[0], ["train", "exit", "save"])
    assert found.headings == ("strategy", "train", "all others")
    assert found.rows[0][1:] == ("100.0 s", "0.3 s")


def test_what_was_sampled_is_drawn_of_one_trial_each_with_its_numbers():
    points = tuple((n / 10, 2.0**20 * (n % 7 + 1)) for n in range(100))
    records = [replace(r, samples=(Samples("device memory", "B", points, "the trial's processes"),)) for r in RECORDS]
    summary = summarise(records)
    (found,) = over_time(summary, summary.targets[0], looks(summary.strategies))
    assert found.title == "digits: device memory"
    assert [row[:2] for row in found.rows] == [("full", "7.0 MiB"), ("lora", "7.0 MiB"), ("bad", "7.0 MiB")]
    assert found.drawings[0][1].count('class="curve"') == 3
    assert "device memory, MiB" in found.drawings[0][1]
    assert over_time(SUMMARY, TARGET, looks(SUMMARY.strategies)) == []
