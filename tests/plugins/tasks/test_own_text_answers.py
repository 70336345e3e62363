"""Numbers, sets of classes and choices as a user's table holds them, and what is wrong with them."""

import json

import datasets
import numpy as np
import pytest
from ftbench import UserError
from hypothesis import given
from hypothesis import strategies as st

from ftbench_plugins.text.multi_label import MultiLabelTextClassification
from ftbench_plugins.text.multiple_choice import MultipleChoice, _place
from ftbench_plugins.text.regression import TextRegression
from ftbench_plugins.text.texts import as_list


def test_names_in_one_cell_are_cut_at_the_separator(tmp_path):
    (tmp_path / "a.csv").write_text("text,labels\nx,b; a\ny,\nz,c\n")
    task = MultiLabelTextClassification(str(tmp_path / "a.csv"))
    assert task.classes == ("a", "b", "c")
    assert task.label_rows(task.named(["data-0", "data-1", "data-2"])).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_numbered_names_of_a_saved_data_set_are_read(tmp_path):
    features = datasets.Features(
        {"text": datasets.Value("string"), "labels": datasets.List(datasets.ClassLabel(names=["no", "yes", "maybe"]))}
    )
    datasets.Dataset.from_dict({"text": ["x", "y"], "labels": [[2, 0], [1]]}, features=features).save_to_disk(
        tmp_path / "d"
    )
    task = MultiLabelTextClassification(str(tmp_path / "d"))
    assert task.classes == ("maybe", "no", "yes")
    assert task.label_rows(task.named(["data-0", "data-1"])).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_a_class_that_is_not_among_the_given_ones_is_told_with_its_row(tmp_path):
    (tmp_path / "a.csv").write_text("text,labels\nx,a\ny,b;d\n")
    task = MultiLabelTextClassification(str(tmp_path / "a.csv"), labels=("a", "b"))
    with pytest.raises(UserError, match="row 2: 'd' is not among the labels a, b"):
        task.label_rows(task.named(["data-0", "data-1"]))


@pytest.mark.parametrize("cell", ["much", "nan", "inf"])
def test_what_is_no_number_is_told_with_its_row(cell, tmp_path):
    (tmp_path / "a.csv").write_text(f"text,score\nx,1.5\ny,{cell}\n")
    task = TextRegression(str(tmp_path / "a.csv"))
    assert task.label_rows(task.named(["data-0"])).tolist() == [1.5]
    with pytest.raises(UserError, match=f"row 2: column 'score' holds '{cell}', which is no number"):
        task.label_rows(task.named(["data-1"]))


def test_a_row_without_its_number_is_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("text,score\n" + "".join(f"x{n},{n}\n" for n in range(20)) + "y,\n")
    splits = TextRegression(str(tmp_path / "a.csv")).splits(0)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 20


@pytest.mark.parametrize(
    ("cell", "place"),
    [(1, 1), ("2", 2), ("B", 1), ("c", 2), ("red", 0), ("", None), ("7", None), ("D", None), ("pink", None)],
)
def test_a_choice_is_meant_by_its_number_its_letter_or_its_text(cell, place):
    assert _place(cell, ["red", "green", "blue"]) == place


@given(st.text(), st.lists(st.text(min_size=1), min_size=2, max_size=5))
def test_no_label_makes_choosing_fail(cell, choices):
    found = _place(cell, choices)
    assert found is None or 0 <= found < len(choices)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            '{"question": "q", "choices": ["a", "b"], "label": 0}\n{"question": "q", "choices": ["a", "b", "c"], "label": 0}',
            "row 2: has 3 choices, and the first has 2",
        ),
        ('{"question": "q", "choices": ["a", "b"], "label": 5}', "row 1: column 'label' holds '5'"),
        ('{"question": "q", "choices": ["a"], "label": 0}', "has 1 choices"),
    ],
)
def test_questions_that_cannot_be_asked_are_told_with_their_row(rows, message, tmp_path, catalog, model_folder):
    (tmp_path / "a.jsonl").write_text(rows)
    task = MultipleChoice(str(tmp_path / "a.jsonl"))
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    with pytest.raises(UserError, match=message):
        task.encode(task.named([f"data-{n}" for n in range(rows.count("\n") + 1)]), processor)


def test_choices_kept_beside_their_letters_are_read(tmp_path, catalog, model_folder):
    (tmp_path / "a.jsonl").write_text(
        '{"question": "q", "choices": {"label": ["A", "B"], "text": ["ab", "cd"]}, "answerKey": "B"}'
    )
    task = MultipleChoice(str(tmp_path / "a.jsonl"), target="answerKey")
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    encoded = task.encode(task.named(["data-0"]), processor)
    assert np.asarray(encoded.labels).tolist() == [1]
    assert task.collate(encoded, [0])["input_ids"].shape[:2] == (1, 2)


def test_a_cell_is_a_list_or_a_text_of_parts():
    assert as_list(["a", 1, None]) == ["a", "1", ""]
    assert as_list(" a  b ") == ["a", "b"]
    assert as_list("a ; b;", ";") == ["a", "b"]


@pytest.mark.parametrize(
    "written",
    [json.dumps, str, lambda cell: cell, lambda cell: ";".join(cell["text"] if isinstance(cell, dict) else cell)],
)
@pytest.mark.parametrize("cell", [["a cat", "the 'dog'"], {"label": ["A", "B"], "text": ["a cat", "the 'dog'"]}])
def test_choices_are_read_however_a_cell_holds_them(written, cell):
    task = MultipleChoice("nothing")
    assert task._choices({"choices": written(cell)}) == ["a cat", "the 'dog'"]
