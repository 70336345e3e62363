"""Data locations: patterns, a file for each split, other split names, and mismatches."""

import json

import pytest
from ftbench import UserError


def rows(begin, count):
    return [{"text": f"text number {n}", "label": ("no", "yes")[n % 2]} for n in range(begin, begin + count)]


@pytest.fixture
def written(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        elif path.suffix == ".json":
            path.write_text(json.dumps(content, indent=1))
        else:
            path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in content))
        return str(path)

    return write


def task(catalog, data, **options):
    return catalog.build("tasks", "text-classification", {"data": data, **options})


def texts(made, split):
    return [made.cells([example])[0]["text"] for example in made.splits(0)[split]]


def test_a_pattern_is_one_table_in_the_order_of_names(catalog, written, tmp_path):
    for part in range(3):
        written(f"parts/{part}.jsonl", rows(10 * part, 10))
    written("parts/deep/3.jsonl", rows(30, 10))
    made = task(catalog, str(tmp_path / "parts" / "*.jsonl"))
    assert len(made.tables["data"]) == 30
    assert made.tables["data"].rows([0, 10, 29], ["text"]) == [{"text": f"text number {n}"} for n in (0, 10, 29)]
    assert sorted(len(made.splits(0)[split]) for split in ("train", "validation", "test")) == [4, 5, 21]
    assert len(task(catalog, str(tmp_path / "parts" / "**" / "*.jsonl")).tables["data"]) == 40
    before = made.fingerprint()
    written("parts/1.jsonl", rows(50, 10))
    assert task(catalog, str(tmp_path / "parts" / "*.jsonl")).fingerprint() != before


def test_a_file_or_pattern_may_be_given_for_each_split(catalog, written, tmp_path):
    data = {"train": written("here/a.csv", rows(0, 40)), "test": str(tmp_path / "there" / "*.csv")}
    written("there/b.csv", rows(100, 6))
    written("there/c.csv", rows(106, 6))
    made = task(catalog, data)
    assert [len(made.splits(0)[split]) for split in ("train", "validation", "test")] == [32, 8, 12]
    assert set(texts(made, "test")) == {f"text number {n}" for n in range(100, 112)}
    assert made.provenance().source == "the user's own: a.csv, *.csv"
    assert set(made.fingerprint()) == {"train", "test"}


def test_a_split_by_another_name_serves_where_it_is_told_to(catalog, written, tmp_path):
    written("given/train.csv", rows(0, 40))
    written("given/test.csv", [{"text": "unlabelled", "label": ""}])
    written("given/dev.csv", rows(100, 12))
    with pytest.raises(
        UserError, match=r'no row of its test split has a label; use another: split_names = \{ test = "validation" \}'
    ):
        task(catalog, str(tmp_path / "given")).splits(0)
    made = task(catalog, str(tmp_path / "given"), split_names={"test": "dev"})
    assert [len(made.splits(0)[split]) for split in ("train", "validation", "test")] == [32, 8, 12]


def test_a_json_file_is_a_list_of_rows_or_lines(catalog, written, tmp_path):
    listed = task(catalog, written("list.json", rows(0, 20)))
    assert listed.tables["data"].columns == ("text", "label")
    assert listed.fingerprint()
    (tmp_path / "lines.json").write_text("".join(json.dumps(row) + "\n" for row in rows(0, 20)))
    assert len(task(catalog, str(tmp_path / "lines.json")).tables["data"]) == 20


def test_cells_with_bare_quotes_are_read_as_they_stand_where_cells_are_never_quoted(catalog, tmp_path):
    lines = [f'"Hello {n}\t{"ab"[n % 2]}' for n in range(20)]
    (tmp_path / "bare.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    made = task(catalog, str(tmp_path / "bare.tsv"), quoted=False)
    assert made.tables["data"].rows([3], ["text"]) == [{"text": '"Hello 3'}]
    assert len(made.tables["data"]) == 20
    (tmp_path / "open.tsv").write_text('text\tlabel\n"a\tb"\ta\n"never closed\tb\n')
    with pytest.raises(UserError, match="if cells are never quoted, set quoted = false"):
        _ = task(catalog, str(tmp_path / "open.tsv")).tables


def test_what_does_not_fit_together_is_one_line(catalog, written, tmp_path):
    written("mixed/a.csv", rows(0, 4))
    written("mixed/b.jsonl", rows(0, 4))
    (tmp_path / "mixed" / "c.csv").write_text("words,label\na,b\n")
    for data, options, message in (
        (str(tmp_path / "mixed" / "*"), {}, r"matches files of different kinds: \.csv, \.jsonl"),
        (str(tmp_path / "mixed" / "*.csv"), {}, r"c\.csv: has no column 'text'; its columns: words, label"),
        (str(tmp_path / "mixed" / "*.tsv"), {}, "no file matches"),
        ({"train": "nowhere.csv", "test": "nowhere.csv"}, {}, r"data: nowhere\.csv: no such file or folder"),
        ({"train": "a.csv"}, {}, "data: train and test are needed, got train"),
        ({"train": "a.csv", "tset": "b.csv"}, {}, "there is no split 'tset'; splits are train, validation, test"),
        ("a.csv", {"split_names": {"tset": "b"}}, "there is no split 'tset'"),
        ("a.csv", {"revision": "v1"}, "revision: applies only to Hub data sets"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            task(catalog, data, **options).fingerprint()
        assert all("\n" not in mistake for mistake in caught.value.mistakes)
    (tmp_path / "mixed" / "c.csv").write_text("label,text\nno\xff,b\n", encoding="latin-1")
    with pytest.raises(UserError, match=r"c\.csv: (not UTF-8|cannot be read as csv)"):
        _ = task(catalog, str(tmp_path / "mixed" / "*.csv")).tables
