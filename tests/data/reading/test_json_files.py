"""JSON: lines and documents in every shape that common tools write."""

import json

import pytest
from ftbench import UserError
from ftbench.data.reading.json_files import json_columns, json_rows
from ftbench.data.reading.text_files import TextFormat

ROWS = [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}, {"text": "three", "label": None}]
ANY = TextFormat()


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(rows):
    return "\n".join(map(json.dumps, rows))


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table", "lines"])
@pytest.mark.parametrize("named", [False, True])
def test_every_orientation_of_pandas_is_read(orient, named, tmp_path):
    import pandas as pd

    frame = pd.DataFrame(ROWS, index=["x", "y", "z"] if named else None)
    path = tmp_path / "frame.json"
    if orient == "lines":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_json(path, orient=orient)
    assert [{name: row[name] for name in ROWS[0]} for row in json_rows(path, ANY)] == ROWS


@pytest.mark.parametrize(
    "shape",
    [
        ROWS,
        lines(ROWS),
        f"\n\n{lines(ROWS)}\n\n",
        json.dumps(ROWS, indent=2),
        "\ufeff" + lines(ROWS),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_documents_lines_and_blank_lines_are_read(shape, suffix, tmp_path):
    assert list(json_rows(written(tmp_path / f"a{suffix}", shape), ANY)) == ROWS


@pytest.mark.parametrize(
    "shape",
    [{"version": "1", "data": ROWS}, {"rows": ROWS}, {name: [row[name] for row in ROWS] for name in ROWS[0]}],
)
def test_an_object_may_have_the_rows_or_the_columns(shape, tmp_path):
    assert list(json_rows(written(tmp_path / "a.json", shape), ANY)) == ROWS


def test_columns_are_those_of_all_rows_whatever_the_first_one_has(tmp_path):
    for first in ({}, {"text": "a"}, {"other": 1}):
        path = written(tmp_path / "a.jsonl", lines([first, *ROWS]))
        assert set(json_columns(path, ANY)) == {*first, "text", "label"}
        assert len(list(json_rows(path, ANY))) == 4
    one = written(tmp_path / "one.jsonl", {"tokens": ["a", "b"], "tags": ["O", "O"]})
    assert list(json_rows(one, ANY)) == [{"tokens": ["a", "b"], "tags": ["O", "O"]}]


def test_lists_of_cells_are_named_by_the_user(tmp_path):
    named = TextFormat(columns=("text", "label"))
    cells = [list(row.values()) for row in ROWS]
    for content in (cells, lines(cells)):
        assert list(json_rows(written(tmp_path / "a.json", content), named)) == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}\n{"a": }\n', "line 2 is not JSON"),
        ('{"a": 1}\n\n[1]\n', r"line 3: is a list; name its cells: columns = \[...\]"),
        ('{"a": 1}\n"text"\n', 'line 2: must be a JSON object, not "text"'),
        ("[[1, 2]]", r"item 1: is a list; name its cells"),
        ('{"a": [1, 2], "b": [1]}', "columns of unequal length: a 2, b 1"),
        ('{"train": [{"a": 1}], "test": [{"a": 1}]}', "has several lists of rows: train, test; save each in a file"),
        ("7", "must be a list of JSON objects, not 7"),
        ("[1, ", "not JSON: "),
        ("[" * 100_000, "not JSON: "),
        (" \n ", "is empty; it must have JSON objects"),
    ],
)
def test_what_has_no_rows_is_one_line_with_its_place(content, message, tmp_path):
    path = written(tmp_path / "a.json", content)
    with pytest.raises(UserError, match=message) as caught:
        json_columns(path, ANY)
    assert str(caught.value).startswith(f"{path}: ")
