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
    from ftbench.data.reading import arrow_tables

    path = written(".csv")
    read_table(path)
    calls = []
    monkeypatch.setattr(arrow_tables, "_write", lambda *a: calls.append(1))
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
        ("a.csv", b"text,label\nhel\xfflo,0\n", "not UTF-8 in line 2; save it as UTF-8, or name its encoding"),
        ("a.csv", b"te\xffxt,label\n", "not UTF-8 in line 1; save it as UTF-8"),
        ("a.csv", b"", "is empty; the first line must name the columns"),
        ("a.csv", b"text,text\na,b\n", "two columns are called 'text'"),
        ("a.jsonl", b'{"text": "a"}\nnope\n', "line 2 is not JSON: Expecting value"),
        ("a.jsonl", b"nope\n", "line 1 is not JSON: Expecting value"),
        ("a.jsonl", b'{"text": "\\ud83d"}\n', r"a cell has half a surrogate pair, which is no character: "),
        ("a.jsonl", b"[1, 2]\n", r"line 1: is a list; name its cells: columns = \[...\]"),
        ("a.parquet", b"no parquet", "not a Parquet file"),
        ("a.xls", b"", "unknown file type .xls; save the sheet as 'CSV UTF-8'"),
        ("a.txt", b"", "unknown file type .txt; known types: .csv"),
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


def test_columns_of_json_are_those_of_all_rows_and_cells_keep_their_types(tmp_path, monkeypatch):
    from ftbench.data import table_files

    monkeypatch.setattr(table_files, "CHUNK", 2)
    rows = [
        {"text": "a", "n": 1, "either": 1, "deep": {"x": [1]}, "list": []},
        {"text": None, "either": "one", "list": [None]},
        {},
        {"n": 0.5, "either": ["1"], "deep": {"y": "z"}, "late": True, "list": ["b"], "huge": 2**70},
        {"text": "2020-01-01", "": "nobody's"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in rows))
    table = read_table(path)
    assert table.columns == ("text", "n", "either", "deep", "list", "late", "huge")
    assert [row["either"] for row in table.rows(range(5), ["either"])] == [1, "one", None, ["1"], None]
    assert [row["n"] for row in table.rows(range(5), ["n"])] == [1.0, None, None, 0.5, None]
    (last,) = table.rows([3], ["late", "deep", "list", "huge"])
    assert str(last.pop("huge")) == str(2**70)
    assert last == {"late": True, "deep": {"x": None, "y": "z"}, "list": ["b"]}
    assert table.rows([4], ["text"]) == [{"text": "2020-01-01"}]


def test_parquet_keeps_categories_nested_cells_and_the_features_of_datasets(tmp_path):
    import datasets
    import pandas as pd

    frame = pd.DataFrame({"label": pd.Categorical(["b", "a", "b"]), "tags": [["x"], [], ["y", "z"]]}, index=[7, 8, 9])
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.rows([2, 1], ["label", "tags"]) == [{"label": "b", "tags": ["y", "z"]}, {"label": "a", "tags": []}]
    kinds = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_dict({"label": [1, 0]}, features=kinds).to_parquet(tmp_path / "b.parquet")
    assert read_table(tmp_path / "b.parquet").names("label") == ("no", "yes")
    (tmp_path / "c.csv").write_text("label\nyes\n0\n")
    declared = read_table(tmp_path / "c.csv", features=kinds)
    assert declared.rows([0, 1], ["label"]) == [{"label": 1}, {"label": 0}]
    (tmp_path / "c.csv").write_text("label\nmaybe\n")
    with pytest.raises(UserError, match=r"c\.csv: a cell does not fit its declared type"):
        read_table(tmp_path / "c.csv", features=kinds)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.xz", "a.jsonl.gz", "a.json.zip"])
def test_compressed_tables_are_named_and_read_like_others(name, tmp_path):
    import pandas as pd

    path = tmp_path / name
    frame = pd.DataFrame(ROWS)
    if "json" in name:
        frame.to_json(path, orient="records", lines="jsonl" in name)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    table = read_table(path)
    assert (table.name, len(table)) == ("a", 3)
    assert table.rows([0], ["text"]) == [{"text": ROWS[0]["text"]}]
