"""A meter that gives what is no number: its trials fail and say so, and every record can be read."""

import re

import pytest
from ftbench.notebook import read_run

from tests.faults.quick_suite import PLUGIN, write

METER = """
from dataclasses import dataclass
from ftbench import Measurement, Meter, hookimpl

class Wild(Meter):
    where = "{where}"
    def start(self, watch):
        pass
    def stop(self):
        return [Measurement("wildness", {value}, "1")]

@hookimpl
def ftbench_meters():
    return {{"wild": Wild}}
"""


@pytest.mark.parametrize("where", ["runner", "trial"])
@pytest.mark.parametrize("value", ['float("nan")', 'float("-inf")', "1e60", '"many"'])
def test_its_trials_fail_and_say_so(tmp_path, inside, where, value):
    (tmp_path / "wild.py").write_text(METER.format(where=where, value=value))
    suite = write(tmp_path)
    suite.write_text(suite.read_text().replace('["parameters"]', '["parameters", "wild"]'))
    inside("-p", PLUGIN, "-p", tmp_path / "wild.py", "run", suite, check=1)
    (record,) = read_run(tmp_path / "runs" / "quick")
    assert record.status == "error"
    assert record.failure.kind == "ValueError"
    assert re.search(r"wildness = \S+ is no number that can be measured$", record.failure.message)
