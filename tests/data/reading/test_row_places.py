"""A row is named as the user knows it: by file and line, by row, or by the file that it is."""

import json

import pytest
from ftbench.data.reading.row_places import RowPlaces


@pytest.fixture
def places(catalog, tmp_path):
    def of(use, data, **options):
        task = catalog.build("tasks", use, {"data": str(tmp_path / data), **options})
        return lambda number, key="data": RowPlaces(task).of(key, number)

    return of


def test_a_csv_has_lines_counted_with_the_first_also_if_cells_span_some(places, tmp_path):
    (tmp_path / "a.csv").write_text('text,label\none,x\n"two\nlines",y\n\nthree,x\n')
    found = places("text-classification", "a.csv")
    assert [found(n) for n in range(3)] == ["a.csv line 2", "a.csv line 3", "a.csv line 6"]


def test_without_a_first_line_of_names_rows_begin_at_line_one(places, tmp_path):
    (tmp_path / "a.tsv").write_text("one\tx\ntwo\ty\n")
    found = places("text-classification", "a.tsv", columns=["text", "label"])
    assert [found(n) for n in range(2)] == ["a.tsv line 1", "a.tsv line 2"]


def test_json_lines_have_lines_and_documents_have_rows(places, tmp_path):
    rows = [{"text": "one", "label": "x"}, {"text": "two", "label": "y"}]
    (tmp_path / "a.jsonl").write_text("\n" + "\n\n".join(map(json.dumps, rows)))
    (tmp_path / "b.json").write_text(json.dumps(rows))
    assert places("text-classification", "a.jsonl")(1) == "a.jsonl line 4"
    assert places("text-classification", "b.json")(1) == "b.json row 2"


def test_several_files_of_a_table_are_counted_one_by_one(places, tmp_path):
    (tmp_path / "p1.csv").write_text("text,label\none,x\ntwo,y\n")
    (tmp_path / "p2.csv").write_text("text,label\nthree,x\n")
    assert places("text-classification", "p*.csv")(2) == "p2.csv line 2"


def test_the_file_of_each_split_is_named(places, tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("text,label\none,x\ntwo,y\n")
    assert places("text-classification", "")(1, "test") == "test.csv line 3"


def test_sentences_have_the_line_of_their_first_word(places, tmp_path):
    (tmp_path / "a.conll").write_text("-DOCSTART- O\n\nAnn B-P\nran O\n\n\nBob B-P\n")
    found = places("token-classification", "a.conll")
    assert [found(n) for n in range(2)] == ["a.conll line 3", "a.conll line 7"]


def test_an_image_is_named_by_its_path_and_one_in_a_table_by_both(places, tmp_path):
    from PIL import Image

    for name in "ab":
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "images" / name / "1.png")
    assert places("image-classification", "images")(1) == "b/1.png"
    (tmp_path / "images.csv").write_text("path,label\nimages/b/1.png,x\nimages/a/1.png,y\n")
    assert places("image-classification", "images.csv")(0) == "images.csv line 2 (b/1.png)"


def test_parquet_has_rows(places, tmp_path):
    import pandas as pd

    pd.DataFrame({"text": ["one", "two"], "label": ["x", "y"]}).to_parquet(tmp_path / "a.parquet")
    assert places("text-classification", "a.parquet")(1) == "a.parquet row 2"
