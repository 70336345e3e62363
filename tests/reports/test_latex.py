"""LaTeX tables: the numbers of the summary, with everything escaped."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from ftbench.records.store import Store
from ftbench.reporting import summarise

from ftbench_plugins.reports.latex import LatexReport
from ftbench_plugins.reports.latex_tables import escaped
from tests.reports.synthetic import trials
from tests.support.made_records import RECORDS

HOSTILE = "a_b\\input{/etc/passwd} $x^2$ #1 50% ~ & {\n}"


def written(records, folder, style="full"):
    return LatexReport(style=style).write(summarise(records), folder).read_text(encoding="utf-8")


def renamed(records, name):
    return [
        replace(r, trial={**r.trial, "strategy": {**r.trial["strategy"], "label": name}})
        if r.trial["strategy"]["use"] == "lora"
        else r
        for r in records
    ]


def test_scores_and_differences_are_the_summarys_with_a_true_minus(tmp_path):
    text = written(RECORDS, tmp_path)
    (target,) = summarise(RECORDS).targets
    found, away = target.answer.intervals["full"], target.contenders[1].against_baseline.estimate
    ends = f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"
    assert rf"$\rightarrow$ & full & 91.0 \% {ends} & baseline & 3 \\" in text
    assert r" & lora & 72.0 \% [" in text
    assert rf"$-$19.0 [$-${-100 * away.low:.1f}, $-${-100 * away.high:.1f}] worse & 3 \\" in text
    assert re.search(r" & bad, seed 0 & \\multicolumn\{3\}\{.*oom: does not fit", text)


def test_the_caption_says_what_the_page_says(tmp_path):
    (target,) = summarise(RECORDS).targets
    caption = re.search(r"\\caption\{(.*)\}", written(RECORDS, tmp_path))[1]
    assert caption.startswith(r"Take full on digits: accuracy 91.0 \% [")
    for sentence in target.answer.sentences[1:]:
        assert escaped(sentence) in caption


def test_compact_is_one_table_with_the_best_in_bold_and_the_possible_best_underlined(tmp_path):
    records = [*trials(6, 5, 3, failing=False), *trials(3, 5, 1, failing=False)]
    summary = summarise(list({one.id: one for one in records}.values()))
    text = LatexReport(style="compact").write(summary, tmp_path).read_text(encoding="utf-8")
    assert text.count(r"\begin{table}") == text.count(r"\begin{tabular}{lrrr}") == 1
    rows = {
        line.split(" & ")[0]: line.removesuffix(r" \\").split(" & ")[1:] for line in text.splitlines() if " & " in line
    }
    for place, target in enumerate(summary.targets):
        assert escaped(f"Take {target.answer.pick} on {target.label}") in text
        cells = {c.label: rows[escaped(c.label)][place] for c in target.contenders}
        for label, cell in cells.items():
            mean = next(c for c in target.contenders if c.label == label).quantities[target.primary].estimate.mean
            assert f"{100 * mean:.1f}" in cell
            assert (r"\textbf{" in cell) == (label == target.answer.leader)
            assert (r"\underline{" in cell) == (label in target.answer.possible)
            assert (r"\dagger" in cell) == (label == target.answer.pick)


def test_costs_stand_in_a_table_of_their_own_below(tmp_path):
    text = written(RECORDS, tmp_path)
    scores, costs = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL)[:2]
    assert "trainable" not in scores
    assert r"full & 9.0 k \\" in costs


def test_no_sign_of_a_name_is_a_command():
    assert (
        escaped(HOSTILE)
        == r"a\_b\textbackslash{}input\{/etc/passwd\} \$x\textasciicircum{}2\$ \#1 50\% \textasciitilde{} \& \{ \}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("style", ["full", "compact"])
@pytest.mark.parametrize(
    "records", [trials(10, 5, 3), renamed(RECORDS, HOSTILE)], ids=["a hundred and fifty trials", "a hostile name"]
)
def test_a_real_latex_takes_it(records, style, tmp_path):
    written(records, tmp_path, style)
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}"
        "\\begin{document}\\input{report.tex}\\end{document}\n"
    )
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=100)
    assert done.returncode == 0, done.stdout[-2000:]
    wide = [float(found) for found in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide", done.stdout)]
    # The default page of an article has 345 pt, and names may be long.
    assert max(wide, default=0.0) < 90


def test_the_style_is_an_option_of_the_command(tmp_path, ftbench):
    store = Store(tmp_path / "r")
    for one in RECORDS:
        store.commit(one)
    ftbench("report", "r", "-f", "latex", "-f", "csv", "--style", "compact", check=0)
    assert r"\label{tab:results}" in (tmp_path / "r" / "report.tex").read_text(encoding="utf-8")
    assert ftbench("report", "r", "-f", "csv", "--style", "compact", check=2).stderr == (
        "error: --style: no style can be chosen for csv; give a format such as latex\n"
    )
    assert ftbench("report", "r", "-f", "latex", "--style", "wide", check=2).stderr == (
        "error: style: must be 'full' or 'compact', got 'wide'\n"
    )
