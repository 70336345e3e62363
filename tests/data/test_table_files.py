"""Table files: what each format is read as, and the errors of broken files."""

import json

import pytest
from ftbench import UserError
from ftbench.data.table_files import list_files, read_table, stored_splits, table_columns

ROWS = [{"text": 'a, "b"', "label": "yes"}, {"text": "NA", "label": "no"}, {"text": "007", "label": "yes"}]


@pytest.fixture
def written(tmp_path):
    """Write the same rows in a format."""

    def write(suffix):
        import pandas as pd

        path = tmp_path / f"rows{suffix}"
        frame = pd.DataFrame(ROWS)
        if suffix in (".csv", ".tsv"):
            frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
        elif suffix == ".parquet":
            frame.to_parquet(path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        return path

    return write


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_rows_and_cells_stay_what_they_are(suffix, written):
    path = written(suffix)
    table = read_table(path)
    assert table_columns(path) == table.columns == ("text", "label")
    assert table.rows([2, 0], ["text", "label"]) == [ROWS[2], ROWS[0]]
    codes, names = table.codes("label")
    assert [names[code] for code in codes] == ["yes", "no", "yes"]


def test_a_table_read_before_is_there_at_once(written, monkeypatch):
    import datasets

    path = written(".csv")
    read_table(path)
    calls = []
    monkeypatch.setattr(datasets.builder.DatasetBuilder, "_download_and_prepare", lambda *a, **k: calls.append(1))
    assert len(read_table(path)) == 3
    assert not calls


def test_what_datasets_saved_is_opened_split_by_split(tmp_path):
    import datasets

    data = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(tmp_path / "both")
    data.save_to_disk(tmp_path / "one")
    both, one = stored_splits(tmp_path / "both"), stored_splits(tmp_path / "one")
    assert {name: len(table) for name, table in both.items()} == {"train": 3, "test": 1}
    assert {name: len(table) for name, table in one.items()} == {"one": 3}
    assert stored_splits(tmp_path) is None


def test_files_of_a_folder_are_labelled_by_their_folder_or_by_their_name(tmp_path):
    for name in ("cats/a_anna.png", "dogs/b_ben.PNG", "dogs/.hidden/c_x.png", "dogs/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    table = list_files(tmp_path, (".png",))
    assert table.rows([0, 1], ["path", "label"]) == [
        {"path": str(tmp_path / "cats/a_anna.png"), "label": "cats"},
        {"path": str(tmp_path / "dogs/b_ben.PNG"), "label": "dogs"},
    ]
    named = list_files(tmp_path, (".png",), "{take}_{person}")
    assert [row["person"] for row in named.rows([0, 1], ["person"])] == ["anna", "ben"]
    with pytest.raises(UserError, match=r"a_anna.png: the name does not match the pattern '\{x\}-\{y\}'"):
        list_files(tmp_path, (".png",), "{x}-{y}")
    with pytest.raises(UserError, match="is not valid"):
        list_files(tmp_path, (".png",), "{x}_{x}")
    with pytest.raises(UserError, match=r"no file ends in \.wav"):
        list_files(tmp_path, (".wav",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label\nhel\xfflo,0\n", "not UTF-8|cannot be read as csv: 'utf-8' codec"),
        ("a.csv", b"te\xffxt,label\n", "not UTF-8 at byte 2; save it as UTF-8"),
        ("a.csv", b"", "is empty; the first line must name the columns"),
        ("a.csv", b"text,text\na,b\n", "two columns are called 'text'"),
        ("a.jsonl", b'{"text": "a"}\nnope\n', "cannot be read as jsonl: JSON parse error"),
        ("a.jsonl", b"nope\n", "cannot be read: Expecting value"),
        ("a.jsonl", b"[1, 2]\n", "is empty; the first line must be a JSON object"),
        ("a.parquet", b"no parquet", "not a Parquet file"),
        ("a.xlsx", b"", "unknown file type .xlsx; known types: .csv"),
    ],
)
def test_a_broken_file_is_one_line_with_its_name(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        table_columns(path)
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.csv: no such file"):
        read_table(tmp_path / "nothing.csv")
