"""The findings of a data check are kept with the run, and read without being trusted."""

import json
from pathlib import Path

import pytest
from ftbench import RunError
from ftbench.records.bundle import pack, unpack
from ftbench.records.data_check import (
    FILE,
    DataCheck,
    Flaw,
    TaskFlaws,
    merged_flaws,
    new_flaws,
    read_data_check,
    write_data_check,
)

from tests.support.made_records import RECORDS

LEAK = Flaw("error", "same input in two splits", 3, ("data.csv line 2 = data.csv line 9",), "remove them")
EMPTY = Flaw("warning", "input empty", 1, ("data.csv line 4",), "remove these rows")
ONCE = Flaw("note", "same input more than once", 7, (), "remove them unless this is intended")


def test_what_is_written_is_read_again(tmp_path):
    check = DataCheck((TaskFlaws("a", (LEAK, EMPTY)), TaskFlaws("b", ())), allowed=True)
    write_data_check(tmp_path, check)
    assert read_data_check(tmp_path) == check
    assert read_data_check(tmp_path / "missing") is None


def test_the_home_folder_is_not_written(tmp_path):
    example = f"{Path.home()}/secret/a.wav"
    write_data_check(tmp_path, DataCheck((TaskFlaws("a", (Flaw("error", "k", 1, (example,), example),)),)))
    assert str(Path.home()) not in (tmp_path / FILE).read_text()


def flaw(**changes):
    return {"severity": "note", "kind": "k", "count": 1, "examples": ["e"], "advice": "a", **changes}


def table(*flaws, schema="ftbench.data/1", **changes):
    return {"schema": schema, "tasks": [{"task": "t", "flaws": list(flaws)}], "allowed": False, **changes}


HOSTILE = {
    "not a table": [],
    "no schema": {"tasks": []},
    "a severity of its own": table(flaw(severity="fatal")),
    "a negative count": table(flaw(count=-1)),
    "a count that is text": table(flaw(count="many")),
    "too many examples": table(flaw(examples=["e"] * 11)),
    "too many flaws": table(*[flaw()] * 101),
    "too many tasks": table(tasks=[{"task": str(n), "flaws": []} for n in range(1001)]),
    "examples that are no list": table(flaw(examples={"a": 1})),
    "a newer version": table(schema="ftbench.data/2"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_of_another_form_is_one_line(content, tmp_path):
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(RunError, match=FILE) as found:
        read_data_check(tmp_path)
    assert len(found.value.mistakes) == 1


def test_texts_are_made_printable_and_cut(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(table(flaw(kind="\x1b[31mred\u202e", advice="x" * 100_000))))
    (found,) = read_data_check(tmp_path).tasks[0].flaws
    assert found.text.isprintable()
    assert len(found.text) < 1000


def test_a_bundle_carries_it(tmp_path):
    record = RECORDS[0]
    path = tmp_path / "run" / "trials" / record.id / record.environment / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(record.to_json())
    check = DataCheck((TaskFlaws("a", (LEAK,)),))
    write_data_check(tmp_path / "run", check)
    pack(tmp_path / "run", tmp_path / "run.zip")
    unpack(tmp_path / "run.zip", tmp_path / "back")
    assert read_data_check(tmp_path / "back") == check


def test_flaws_of_several_runs_are_joined_by_task():
    one = (TaskFlaws("a", (EMPTY, ONCE)),)
    other = (TaskFlaws("a", (LEAK, EMPTY)), TaskFlaws("b", (ONCE,)))
    assert merged_flaws([one, (), other]) == (TaskFlaws("a", (LEAK, EMPTY, ONCE)), TaskFlaws("b", (ONCE,)))


def test_a_flaw_is_new_if_the_baseline_has_it_less_often():
    base = DataCheck((TaskFlaws("a", (EMPTY,)),))
    more = Flaw("warning", "input empty", 5, (), "remove these rows")
    assert new_flaws(base, base) == []
    assert new_flaws(DataCheck((TaskFlaws("a", (LEAK, more, ONCE)),)), base) == [
        "a: error: 3 × same input in two splits: data.csv line 2 = data.csv line 9; remove them (0 in the baseline)",
        "a: warning: 5 × input empty; remove these rows (1 in the baseline)",
    ]
    assert new_flaws(base, None) == [
        "a: warning: 1 × input empty: data.csv line 4; remove these rows (the data of the baseline were not checked)"
    ]
