"""Packed points of learning curves."""

import copy
import json
import pickle

import pytest
from ftbench.errors import RunError
from ftbench.records.curve_points import Points
from ftbench.records.record import Record

from tests.reports.synthetic import trial

ROWS = ({"step": 1.0, "loss": 0.5}, {"step": 2.0})


def test_points_are_a_sequence_of_mappings_however_they_were_packed():
    points = Points(ROWS)
    assert points == ROWS
    assert list(ROWS) == points
    assert points == Points(points.columns()) == pickle.loads(pickle.dumps(points)) == copy.deepcopy(points)
    assert points != ROWS[:1]
    assert len(points) == 2
    assert points[-1] == {"step": 2.0}
    assert points[:1] == [ROWS[0]]
    assert Points() == () == Points({})
    with pytest.raises(IndexError):
        points[2]


def test_a_value_that_a_point_lacks_is_none_in_its_column():
    points = Points(ROWS)
    assert points.columns() == {"step": [1.0, 2.0], "loss": [0.5, None]}
    assert list(points.column("loss")) == [0.5]
    assert list(points.column("accuracy")) == []
    assert points.has(frozenset({"step"}))
    assert not points.has(frozenset({"step", "loss"}))
    assert not Points([{}]).has(frozenset({"step"}))
    assert Points().has(frozenset({"step"}))


def test_what_is_not_a_number_is_neither_lost_nor_written():
    points = Points([{"step": 1.0, "loss": float("nan")}])
    assert set(points[0]) == {"step", "loss"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(points.columns(), allow_nan=False)


def test_records_with_a_mapping_per_point_are_still_read():
    record = trial(0, 0)
    table = json.loads(record.to_json())
    packed = table["curves"][0]["points"]
    assert packed["step"][:2] == [1.0, 2.0]
    table["curves"] = [curve.to_rows() for curve in record.curves]
    assert table["curves"][0]["points"][0]["step"] == 1.0
    found = Record.from_json(json.dumps(table))
    assert found == record
    assert found.to_json() == record.to_json()


@pytest.mark.parametrize(
    "points",
    [
        {"step": [1.0]},
        {"step": [1.0], "examples": [1.0], "seconds": [1.0], "task_loss": [1.0], "loss": [1.0, 2.0]},
        {"step": [1.0], "examples": [1.0], "seconds": [1.0], "task_loss": [1.0], "loss": [None]},
        {"step": [1e60]},
        {"step": 1.0},
        [{"step": 1.0}],
        [[]],
        [None],
        None,
        "",
        0,
    ],
)
def test_points_of_another_shape_are_refused_in_one_line(points):
    table = json.loads(trial(0, 0).to_json())
    table["curves"][0]["points"] = points
    with pytest.raises(RunError) as caught:
        Record.from_json(json.dumps(table), "x.json")
    assert len(caught.value.mistakes) == 1
    assert str(caught.value).startswith("x.json: not a record: ")
