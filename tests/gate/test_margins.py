"""Margins are those of the baseline unless the run may have its own."""

from dataclasses import replace

import pytest
from ftbench import NotComparable
from ftbench.gate.margins import margins_of
from ftbench.suite.suite import Gate

BASE = Gate()
OTHER = replace(BASE, margins={"accuracy": 0.05, "f1": 0.1}, looks=(3, 9), slowdown=0.5)


def test_every_other_margin_is_a_line_and_the_last_one_says_what_to_do():
    with pytest.raises(NotComparable) as caught:
        margins_of(OTHER, BASE, ())
    lines = caught.value.mistakes
    assert sorted(line.split()[2] for line in lines) == ["gate.looks", "gate.margins", "gate.slowdown"]
    assert any("and {accuracy = 0.05, f1 = 0.1} here" in line for line in lines)
    assert any("and [3, 9] here" in line for line in lines)
    assert [line.endswith("take those of the run with `--allow-drift gate`") for line in lines] == [False, False, True]


def test_margins_that_may_differ_are_those_of_the_run():
    assert margins_of(OTHER, BASE, ["gate"]) == OTHER
    assert margins_of(BASE, BASE, ()) == BASE
    with pytest.raises(NotComparable) as caught:
        margins_of(OTHER, BASE, ["gate.margins", "gate.looks"])
    (line,) = caught.value.mistakes
    assert line.startswith("not comparable: gate.slowdown is ")
