"""LaTeX tables: the numbers of the summary, with everything escaped."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from ftbench.reporting import summarise
from ftbench.stats import estimate

from ftbench_reports.latex import LatexReport, escaped
from tests.reports.synthetic import trials
from tests.reports.test_page import RECORDS

HOSTILE = "a_b\\input{/etc/passwd} $x^2$ #1 50% ~ & {\n}"


def written(records, folder):
    return LatexReport().write(summarise(records), folder).read_text(encoding="utf-8")


def renamed(records, name):
    return [
        replace(r, trial={**r.trial, "strategy": {**r.trial["strategy"], "label": name}})
        if r.trial["strategy"]["use"] == "lora"
        else r
        for r in records
    ]


def test_scores_and_differences_are_the_summarys_with_a_true_minus(tmp_path):
    text = written(RECORDS, tmp_path)
    found = estimate([0.9, 0.91, 0.92])
    assert (
        rf"full & {100 * found.mean:.1f} \% [{100 * found.low:.1f}, {100 * found.high:.1f}] & baseline & 3 \\" in text
    )
    assert r"$-$19.0 [$-$21.5, $-$16.5] worse" in text
    assert re.search(r"bad & \\multicolumn\{3\}\{.*out of memory, seed 0: does not fit", text)


def test_costs_stand_in_a_table_of_their_own_below(tmp_path):
    text = written(RECORDS, tmp_path)
    scores, costs = re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", text, re.DOTALL)[:2]
    assert "trainable" not in scores
    assert r"full & 9.0 k \\" in costs


def test_where_nobody_is_told_apart_by_letters_there_is_no_column_of_them(tmp_path):
    assert "& ties &" not in written(RECORDS, tmp_path)
    assert "& ties &" in written(trials(6, 5, failing=False), tmp_path)


def test_no_sign_of_a_name_is_a_command():
    assert (
        escaped(HOSTILE)
        == r"a\_b\textbackslash{}input\{/etc/passwd\} \$x\textasciicircum{}2\$ \#1 50\% \textasciitilde{} \& \{ \}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(
    "records", [trials(10, 5, 3), renamed(RECORDS, HOSTILE)], ids=["a hundred and fifty trials", "a hostile name"]
)
def test_a_real_latex_takes_it(records, tmp_path):
    written(records, tmp_path)
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
