"""The wall clock may jump: only dates in records are read from it."""

import re

from tests.conftest import ROOT

DATES = {"ftbench/training/trial.py": 2}
"""Path → number of reads that record a date."""


def test_no_duration_and_no_limit_goes_by_the_clock_on_the_wall():
    found = {}
    for path in sorted((ROOT / "ftbench").rglob("*.py")) + sorted((ROOT / "plugins").rglob("*.py")):
        count = len(re.findall(r"\btime\.time\(|datetime\.now\(|\.today\(", path.read_text(encoding="utf-8")))
        if count and "provenance" not in path.parts:
            found[str(path.relative_to(ROOT))] = count
    assert found == DATES
