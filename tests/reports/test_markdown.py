"""Markdown: the pick first, one line a strategy, everything escaped."""

import re
from dataclasses import replace

from ftbench.reporting import summarise

from ftbench_plugins.reports.markdown import MarkdownReport
from tests.reports.synthetic import trials
from tests.support.made_records import RECORDS, record


def written(records, folder):
    summary = summarise(records)
    return summary, MarkdownReport().write(summary, folder).read_text(encoding="utf-8")


def rows(text):
    return [line for line in text.splitlines() if re.match(r"\| [→●]? ?\| (?!strategy )", line)]


def test_the_pick_comes_first_and_the_answer_follows(tmp_path):
    summary, text = written(RECORDS, tmp_path)
    (target,) = summary.targets
    lines = text.splitlines()
    assert lines[0] == "# page"
    first = next(
        number for number, line in enumerate(lines) if line.startswith("**Take full on digits**: accuracy 91.0 %")
    )
    assert lines[first - 2] == "## digits"
    assert len(target.answer.sentences) > 1
    for number, sentence in enumerate(target.answer.sentences[1:], first + 1):
        assert re.sub(r"\\", "", lines[number]) == sentence


def test_each_strategy_is_one_line_with_its_mark(tmp_path):
    records = [*trials(8, 5, 2, failing=False), *(record("none", seed, 0.1, params=0.0) for seed in range(5))]
    summary, text = written(records, tmp_path)
    assert len(rows(text)) == sum(len(target.contenders) for target in summary.targets)
    for target in summary.targets:
        part = text.partition(f"## {target.label}")[2].partition("\n## ")[0]
        for contender, row in zip(target.contenders, rows(part), strict=True):
            sign, label, score = (cell.strip() for cell in row.split("|")[1:4])
            assert label.strip("*") == contender.label
            assert (sign == "→") == (label == f"**{contender.label}**") == (contender.label == target.answer.pick)
            assert (sign != "") == (contender.label in target.answer.possible)
            assert re.fullmatch(r"\d+\.\d (± \d+\.\d|−\d+\.\d/\+\d+\.\d)", score)
        assert f"* **Take {target.answer.pick} on {target.label}**" in text


def test_trials_without_a_score_follow_and_notes_are_folded(tmp_path):
    _, text = written(RECORDS, tmp_path)
    assert "* bad, seed 0: **oom**: does not fit" in text
    before, folded = text.split("<details><summary>Notes on measurements</summary>")
    assert "no device allocator on a CPU" not in before
    assert "no device allocator on a CPU" in folded.partition("</details>")[0]


def renamed(one, name):
    if one.trial["strategy"]["label"] != "lora":
        return one
    return replace(one, trial={**one.trial, "strategy": {**one.trial["strategy"], "label": name}})


def test_no_sign_of_a_name_is_markup(tmp_path):
    hostile = "a|b*c_[d](e)<f>`g`"
    _, text = written([renamed(one, hostile) for one in RECORDS], tmp_path)
    assert hostile not in text
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows(text)} == {6}
