"""Records: written once, readable without the code that wrote them."""

import json

import pytest
from ftbench import Measurement, Record, RunError
from ftbench.meters import Phase
from ftbench.reporting import Curve, Failure, Retention
from hypothesis import given
from hypothesis import strategies as st

from tests.support.made_runs import TRIAL

RECORD = Record(
    id="a1",
    cell="c1",
    environment="e1",
    trial=TRIAL,
    status="ok",
    primary="accuracy",
    measurements=(
        Measurement("accuracy", 0.5, "1", "higher"),
        Measurement("energy", None, "J", "lower", reason="no driver"),
    ),
    phases=(Phase("train", 1.5),),
    curves=(Curve("t", ({"step": 1.0, "examples": 8.0, "seconds": 0.1, "task_loss": 2.0, "loss": 2.0},), ()),),
    confusion={"t": ((1, 0), (0, 1))},
    classes={"t": ("a", "b")},
    retention=Retention(("t", "u"), ((0.5, None), (0.4, 0.6))),
    failure=None,
)


def test_what_is_written_is_read_back_equal():
    assert Record.from_json(RECORD.to_json()) == RECORD


def test_a_measurement_has_a_value_or_a_reason_and_not_both():
    with pytest.raises(ValueError, match="a value or a reason"):
        Measurement("x", None, "1")
    with pytest.raises(ValueError, match="a value or a reason"):
        Measurement("x", 1.0, "1", reason="and yet")


def test_a_number_that_is_none_cannot_be_written():
    broken = Record("a", "c", "e", {}, "ok", "x", measurements=(Measurement("accuracy", float("nan"), "1"),))
    with pytest.raises(ValueError, match="JSON compliant"):
        broken.to_json()


def test_a_newer_schema_is_refused_politely():
    table = json.loads(RECORD.to_json()) | {"schema": "ftbench.record/9"}
    with pytest.raises(RunError, match=r"x\.json: made by a newer ftbench \(ftbench\.record/9"):
        Record.from_json(json.dumps(table), "x.json")


def test_a_failure_is_kept_whole():
    failed = Record("a", "c", "e", TRIAL, "error", "accuracy", failure=Failure("ValueError", "why", "Traceback …"))
    assert Record.from_json(failed.to_json()).failure == failed.failure


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(json.loads(RECORD.to_json()))), _json) | _json)
def test_no_input_gives_anything_but_a_record_or_a_line(table):
    whole = {**json.loads(RECORD.to_json()), **table} if isinstance(table, dict) else table
    try:
        Record.from_json(json.dumps(whole))
    except RunError as error:
        assert len(error.mistakes) == 1


def test_the_published_schema_describes_what_is_written():
    import jsonschema
    from ftbench.schemas.build import schema

    jsonschema.validate(json.loads(RECORD.to_json()), schema("record"))


@pytest.mark.parametrize("text", ["inf", "nan", "-Infinity", "0.5", "1e999"])
@pytest.mark.parametrize("place", ["measurement", "retention", "phase", "curve"])
def test_a_text_is_no_number_wherever_it_stands(place, text):
    from tests.reports.synthetic import sequence

    table = json.loads(sequence(0, 0).to_json())
    {
        "measurement": lambda: table["measurements"][0].update(value=text),
        "retention": lambda: table["retention"]["matrix"][1].__setitem__(0, text),
        "phase": lambda: table["phases"][0].update(seconds=text),
        "curve": lambda: table["curves"][0]["points"]["task_loss"].__setitem__(0, text),
    }[place]()
    with pytest.raises(RunError, match=r"not a record: .*valid number"):
        Record.from_json(json.dumps(table))
