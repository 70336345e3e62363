"""What `ftbench run` prints at its end: one line a strategy in 100 columns, the answer, and the picks again."""

import pty
import re
from dataclasses import replace

import pytest
from ftbench.analysis.answer_rows import answer_on
from ftbench.cli.verdict_table import WIDTH, legend, print_verdicts
from ftbench.reporting import summarise

from tests.reports.synthetic import trials
from tests.support.made_records import RECORDS, record

SCORE = r"\d+\.\d (?:± \d+\.\d|−\d+\.\d/\+\d+\.\d)"


def printed(records, capsys, **options):
    summary = summarise(records, **options)
    print_verdicts(summary)
    return summary, capsys.readouterr().out.splitlines()


def table_of(lines):
    """Return the lines of the first table, without its heading."""
    start = next(number for number, line in enumerate(lines) if line.strip().startswith("strategy "))
    end = next(number for number in range(start, len(lines)) if lines[number].strip().startswith("→ take   "))
    return lines[start + 1 : end]


@pytest.mark.parametrize("count", [4, 27])
def test_each_strategy_is_one_line_of_at_most_a_hundred_columns(count, capsys):
    summary, lines = printed(trials(count, 3, failing=False), capsys)
    (target,) = summary.targets
    rows = table_of(lines)
    assert len(rows) == len(target.contenders)
    assert max(map(len, (*rows, legend(target.answer)))) <= WIDTH
    for row, contender in zip(rows, target.contenders, strict=True):
        assert re.search(rf" {re.escape(contender.label)}(?: \(baseline\))? +{SCORE} ", row), row
    signs = {c.label: row[2] for c, row in zip(target.contenders, rows, strict=True)}
    assert signs.pop(target.answer.pick) == "→"
    assert {label for label, sign in signs.items() if sign == "●"} == {*target.answer.possible} - {target.answer.pick}
    assert sum("(baseline)" in row for row in rows) == 1
    assert not any(reference.label in row.split() for reference in target.references for row in rows)


def test_the_answer_follows_and_only_its_sentences_name_the_untrained_model(capsys):
    records = [*RECORDS, *(record("none", seed, 0.1 + seed / 100, params=0.0) for seed in range(3))]
    summary, lines = printed(records, capsys)
    sentences = summary.targets[0].answer.sentences
    assert [line.strip() for line in lines if line.strip() in sentences] == list(sentences)
    assert [line.strip() for line in lines if "untrained" in line] == ["Both beat the untrained model (11.0 %)."]
    assert "  bad, seed 0: oom: does not fit" in lines


def test_after_several_tasks_the_last_lines_are_the_picks(capsys):
    summary, lines = printed(trials(5, 3, 3, failing=False), capsys)
    assert lines[-3:] == [answer_on(target) for target in summary.targets]
    for line, target in zip(lines[-3:], summary.targets, strict=True):
        assert line.startswith(f"Take {target.answer.pick} on {target.label}: accuracy ")
    assert sum("longer half" in line for line in lines) == 1


def test_one_seed_marks_the_best_mean_and_nobody_else(capsys):
    summary, lines = printed([one for one in RECORDS if one.trial["seed"] == 0], capsys)
    assert summary.targets[0].answer.pick == "full"
    assert "  → full (baseline)         90.0    9.0 k" in lines
    assert not any("●" in line for line in lines)


def test_a_long_name_is_cut_and_never_wraps(capsys):
    long = [
        replace(one, trial={**one.trial, "strategy": {**one.trial["strategy"], "label": f"{'x' * 60}-{name}"}})
        for one in RECORDS
        for name in [one.trial["strategy"]["label"]]
        if one.status == "ok"
    ]
    wide = [replace(one, trial={**one.trial, "backbone": {**one.trial["backbone"], "label": "y" * 60}}) for one in long]
    _, lines = printed([*long, *wide], capsys)
    rows = table_of(lines)
    assert len(rows) == 4
    assert max(map(len, rows)) <= WIDTH
    assert sum("…" in row for row in rows) >= 2
    assert sum("(baseline)" in row for row in rows) == 1


def test_the_report_prints_the_answer_in_a_terminal_and_paths_alone_in_a_pipe(tmp_path, ftbench, monkeypatch):
    import os
    import subprocess

    from ftbench.records.store import Store

    from tests.conftest import FTBENCH

    store = Store(tmp_path / "r")
    for one in RECORDS:
        store.commit(one)
    command = ["report", tmp_path / "r", "-f", "markdown", "-f", "csv"]
    assert len(ftbench(*command, check=0).stdout.split()) == 2
    ours, theirs = pty.openpty()
    subprocess.run([FTBENCH, *command], stdout=theirs, check=True, env={**os.environ, "COLUMNS": "100"})
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    assert "Take full: accuracy 91.0 %" in shown
    assert shown.split()[-1].endswith("report.csv")
