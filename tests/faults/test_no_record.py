"""Plugins whose values do not make a valid record: their trials fail with a reason, and every record can be read."""

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
def test_a_meter_that_gives_no_number_fails_its_trials(tmp_path, inside, where, value):
    (tmp_path / "wild.py").write_text(METER.format(where=where, value=value))
    suite = write(tmp_path)
    suite.write_text(suite.read_text().replace('["parameters"]', '["parameters", "wild"]'))
    inside("-p", PLUGIN, "-p", tmp_path / "wild.py", "run", suite, check=1)
    (record,) = read_run(tmp_path / "runs" / "quick")
    assert record.status == "error"
    assert record.failure.kind == "ValueError"
    assert re.search(r"wildness = \S+ is no number that can be measured$", record.failure.message)


def test_what_a_task_says_that_makes_no_record_fails_its_trials_and_no_others(tmp_path, inside):
    """The task's class names are numbers, not strings; otherwise it works."""
    text = PLUGIN.read_text().replace('return {"points": Points}', 'return {"points": Points, "numbered": Numbered}')
    numbered = "class Numbered(Points):\n    @property\n    def classes(self):\n        return (0, 1)\n\n\n"
    numbered += "@hookimpl\ndef ftbench_tasks"
    (tmp_path / "numbered.py").write_text(text.replace("@hookimpl\ndef ftbench_tasks", numbered))
    suite = write(tmp_path)
    task = '[[task]]\nuse = "numbered"\ntrain_size = 40\nvalidation_size = 0\ntest_size = 40\n'
    suite.write_text(suite.read_text().replace("[[task]]", f"{task}[[task]]", 1))
    inside("-p", tmp_path / "numbered.py", "run", suite, check=1)
    found = {record.trial["target"]: record for record in read_run(tmp_path / "runs" / "quick")}
    assert found["points"].status == "ok"
    assert (found["numbered"].status, found["numbered"].failure.kind) == ("error", "NoRecord")
    assert found["numbered"].failure.message.startswith(
        "what it gave makes no record: record: not a record: classes.numbered.0: "
    )
