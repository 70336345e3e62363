"""Cells with several classes: every way to write them is recognised, or named in an error."""

import json

import pytest
from ftbench import UserError

from ftbench_plugins.text.label_cells import LabelForm, recognised
from ftbench_plugins.text.multi_label import MultiLabelTextClassification
from ftbench_plugins.text.written_lists import written_list

SETS = [["joy"], ["anger"], [], ["joy", "fear"], ["anger", "fear", "joy"], ["fear"]]
CLASSES = ("joy", "anger", "fear")
VECTORS = [[int(name in names) for name in CLASSES] for names in SETS]


def numpy_text(items):
    import numpy as np

    return str(np.array(items))


WAYS = {
    "lists": list,
    "JSON": json.dumps,
    "JSON with indents": lambda names: json.dumps(names, indent=1),
    "Python": str,
    "NumPy": numpy_text,
    "tuples": lambda names: str(tuple(names)) if names else "()",
    "sets": lambda names: f"{{{', '.join(map(repr, names))}}}",
    "bare in brackets": lambda names: f"[{', '.join(names)}]",
    **{f"separated by {sign!r}": sign.join for sign in (";", ",", "|", "\t", "; ", ", ", " | ", "\n")},
}
VECTOR_WAYS = {
    "lists": list,
    "floats": lambda ones: [float(one) for one in ones],
    "truth values": lambda ones: [bool(one) for one in ones],
    "JSON": json.dumps,
    "Python": str,
    "NumPy": numpy_text,
    "NumPy floats": lambda ones: numpy_text([float(one) for one in ones]),
    "Python truth values": lambda ones: str([bool(one) for one in ones]),
    "spaces": lambda ones: " ".join(map(str, ones)),
    "commas": lambda ones: ",".join(map(str, ones)),
}


def names_of(cells, separator="", labels=()):
    form = recognised(cells, separator, labels)
    return [form.names(cell, labels) for cell in cells]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("again", [1, 20])
def test_names_are_read_however_they_are_written(way, again):
    cells = [WAYS[way](names) for names in SETS] * again
    assert names_of(cells) == SETS * again


@pytest.mark.parametrize("way", VECTOR_WAYS)
def test_a_one_for_each_class_is_recognised_and_named_by_the_labels(way):
    cells = [VECTOR_WAYS[way](ones) for ones in VECTORS]
    numbered = [[str(place) for place, one in enumerate(ones) if one] for ones in VECTORS]
    assert names_of(cells) == numbered
    assert [sorted(found) for found in names_of(cells, labels=CLASSES)] == [sorted(names) for names in SETS]


def test_lists_of_numbers_that_are_no_ones_and_zeros_are_names():
    assert names_of([[1, 3], [2], [0, 1, 2]]) == [["1", "3"], ["2"], ["0", "1", "2"]]
    assert names_of([["0", "1"], ["1", "1"]]) == [["0", "1"], ["1", "1"]]
    assert names_of(["1;3", "2"]) == [["1", "3"], ["2"]]


def test_names_may_contain_what_separates_elsewhere():
    assert names_of(["New York", "New Jersey; Ohio"]) == [["New York"], ["New Jersey", "Ohio"]]
    assert names_of(["Food, drink;Sports", "Sports"]) == [["Food, drink", "Sports"], ["Sports"]]
    labels = ("Food, drink", "Food, sweets")
    assert names_of(["Food, drink", "Food, sweets"], labels=labels) == [["Food, drink"], ["Food, sweets"]]
    assert names_of(["a/b", "a"], separator="/") == [["a", "b"], ["a"]]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["joy,anger", "fear"], {}, r"is 'joy,anger' one class, or several\? Set separator = \",\""),
        (
            ["joy anger", "joy", "anger"],
            {},
            "'joy anger' looks like several of the other classes: set separator = \" \"",
        ),
        (["joy/anger", "joy", "anger"], {}, 'set separator = "/"'),
        (["joy,anger;fear", "joy", "anger"], {}, 'set separator = ","'),
        (["joy,anger", "joy,fear"], {"separator": ";"}, "no cell has ';'; the names look separated by ','"),
        ([[0.2, 0.8], [1, 0]], {}, "lists hold 0.2: neither names of classes, nor 1 and 0 for each class"),
        ([[1, 0, 1], [0, 0, 0]], {"labels": ("a", "b")}, "labels: 2 names for lists of 3 numbers"),
        ([{"joy": 1}], {}, r"holds the object \{'joy': 1\}"),
    ],
)
def test_what_is_doubtful_names_the_option_that_decides(cells, options, message):
    with pytest.raises(UserError, match=message):
        names_of(cells, **options)


def test_a_later_cell_of_another_form_is_refused():
    with pytest.raises(UserError, match="is no list of 3 numbers 0 or 1"):
        LabelForm(vector=3).names([1, 0], ())


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[]", []),
        ("['it\\'s', \"b\"]", ["it's", "b"]),
        ("['a, b', 'c]']", ["a, b", "c]"]),
        ("['a'\n 'b']", ["a", "b"]),
        ("[1 0\n 1]", [1, 0, 1]),
        ("[None, nan]", [None, None]),
        ("[hello world]", None),
        ("[a, b", None),
        ("{'a': 1}", None),
        ("[[1], [2]]", None),
        ("hello", None),
        ("[", None),
    ],
)
def test_flat_lists_are_read_and_other_texts_are_not(text, items):
    assert written_list(text) == items


@pytest.mark.parametrize("way", ["lists", "Python", "separated by ','"])
def test_the_task_has_three_classes_however_they_are_written(way, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"t{n}", "labels": WAYS[way](names)} for n, names in enumerate(SETS * 5)]
    path.write_text("\n".join(map(json.dumps, rows)))
    task = MultiLabelTextClassification(str(path))
    assert task.classes == ("anger", "fear", "joy")
    assert task.label_rows(task.named(["data-0", "data-4", "data-2"])).tolist() == [[0, 0, 1], [1, 1, 1], [0, 0, 0]]
    vectors = tmp_path / "b.jsonl"
    vectors.write_text("\n".join(json.dumps({"text": "t", "labels": ones}) for ones in VECTORS))
    assert MultiLabelTextClassification(str(vectors)).classes == ("0", "1", "2")
    named = MultiLabelTextClassification(str(vectors), labels=CLASSES)
    assert named.label_rows(named.named(["data-3"])).tolist() == [[1, 0, 1]]


def test_doubt_is_named_with_its_column(tmp_path):
    (tmp_path / "a.csv").write_text('text,labels\na,"joy,anger"\nb,fear\n')
    with pytest.raises(UserError, match=r"a\.csv: column 'labels': separator: is 'joy,anger' one class, or several"):
        _ = MultiLabelTextClassification(str(tmp_path / "a.csv")).classes
