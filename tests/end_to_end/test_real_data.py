"""Suites on real data: every trial of every strategy ends with a score."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT

SUITES = sorted((ROOT / "tests" / "suites").glob("*.toml"))
DATA = Path(os.environ.get("FTBENCH_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(
    params=[
        pytest.param(path, id=path.stem, marks=[] if path.stem == "tweet-emotion" else pytest.mark.thorough)
        for path in SUITES
    ]
)
def suite(request, tmp_path):
    """Give a suite beside its data."""
    if not (DATA / request.param.stem).is_dir():
        pytest.skip(f"the data set {request.param.stem} is not under $FTBENCH_TEST_DATA")
    (tmp_path / request.param.stem).symlink_to(DATA / request.param.stem)
    return shutil.copy(request.param, tmp_path / request.param.name)


def ran(ftbench, suite, *options):
    """Run it; gives the records, every one with a loss of its own on the same splits."""
    ftbench("run", suite, *options, check=0)
    records = [json.loads(path.read_text()) for path in suite.parent.glob("runs/*/trials/*/*/record.json")]
    assert {record["status"] for record in records} == {"ok"}
    scores, losses = (
        [m["value"] for record in records for m in record["measurements"] if m["name"] == name]
        for name in ("accuracy", "loss")
    )
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(losses)) == len(records), (
        "so few steps may leave all with the commonest answer, but not equally sure of it"
    )
    hashes = {json.dumps(record["provenance"]["splits"]) for record in records}
    assert len(hashes) == 1, "all strategies and seeds see the same splits"
    assert (suite.parent / "runs" / suite.stem / "report.html").stat().st_size > 20_000
    return records


@pytest.mark.slow
def test_strategies_of_three_kinds_run_on_real_data(suite, ftbench):
    suite.write_text(suite.read_text().replace("seeds = [0, 1]", "seeds = [0]"))
    assert len(ran(ftbench, suite, "--only", "lora", "--only", "prefix", "--only", "frozen")) == 3


@pytest.mark.thorough
def test_eight_strategies_run_on_real_data_with_two_seeds(suite, ftbench):
    assert len(ran(ftbench, suite)) == 16
