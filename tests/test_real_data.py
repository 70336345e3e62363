"""Suites on real data: every trial of every strategy ends with a score."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT

SUITES = sorted((ROOT / "tests" / "suites").glob("*.toml"))
DATA = Path(os.environ.get("FTBENCH_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_eight_strategies_run_on_real_data(suite, ftbench, tmp_path):
    if not (DATA / suite.stem).is_dir():
        pytest.skip(f"the data set {suite.stem} is not under $FTBENCH_TEST_DATA")
    (tmp_path / suite.stem).symlink_to(DATA / suite.stem)
    shutil.copy(suite, tmp_path / "suite.toml")
    ftbench("run", "suite.toml", check=0)
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/trials/*/*/record.json")]
    assert len(records) == 16
    assert {record["status"] for record in records} == {"ok"}
    scores = {m["value"] for record in records for m in record["measurements"] if m["name"] == "accuracy"}
    assert all(0 <= score <= 1 for score in scores)
    assert len(scores) > 1
    hashes = {json.dumps(record["provenance"]["splits"]) for record in records}
    assert len(hashes) == 1, "all strategies and seeds see the same splits"
    assert (tmp_path / "runs" / suite.stem / "report.html").stat().st_size > 20_000
