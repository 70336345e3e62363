"""CSV and TSV files: every dialect that common tools write, and the lines that no dialect reads."""

import csv

import pytest
from ftbench import UserError
from ftbench.data.reading.delimited_files import batches, dialect_of
from ftbench.data.reading.text_files import TextFormat

ROWS = [
    ("plain", "a"),
    ("a, b", "b"),
    ('say "no"', "a"),
    ("two\nlines", "b"),
    ("NA", "a"),
    ("", "b"),
    ("caf\u00e9", "a"),
]


def cells(path, **form):
    found = list(batches(path, TextFormat(**form), 2))
    return [row for part in found for row in zip(*part.values(), strict=True)]


def table(path, rows=ROWS, names=("text", "label"), **options):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, **options)
        writer.writerows([names, *rows] if names else rows)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_every_delimiter_line_end_and_style_of_quotes_is_recognised(delimiter, suffix, end, quoting, tmp_path):
    path = table(tmp_path / f"a{suffix}", delimiter=delimiter, lineterminator=end, quoting=quoting)
    assert cells(path) == ROWS
    assert dialect_of(path, TextFormat()).delimiter == delimiter


def test_line_ends_of_old_macs_backslashes_and_excels_separator_line_are_recognised(tmp_path):
    rows = [row for row in ROWS if "\n" not in row[0]]
    path = table(tmp_path / "mac.csv", rows, lineterminator="\r")
    assert cells(path) == rows
    escaped = table(tmp_path / "escaped.csv", doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL)
    assert cells(escaped) == ROWS
    excel = tmp_path / "excel.csv"
    excel.write_text("sep=;\ntext;label\none, two;a\n")
    assert cells(excel) == [("one, two", "a")]


@pytest.mark.parametrize("opened_in", range(2, 40, 9))
@pytest.mark.parametrize("closed_after", [1, 2, 20])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_stray_quote_swallows_no_row(opened_in, closed_after, suffix, place, tmp_path):
    """Between commas, a cell of several lines is possible: only there, and if both readings fit, the user decides."""
    rows = [[f"text {n}", "ab"[n % 2]] for n in range(60)]
    rows[opened_in][place] = '"' + rows[opened_in][place]
    rows[opened_in + closed_after][place] += '"'
    path = tmp_path / f"sms{suffix}"
    path.write_text("".join(("\t" if suffix == ".tsv" else ",").join(row) + "\n" for row in [["text", "label"], *rows]))
    if suffix == ".tsv":
        assert cells(path) == [tuple(row) for row in rows]
    else:
        lines = (
            f"lines {opened_in + 2} to {opened_in + closed_after + 2} are one quoted cell, and each looks like a row"
        )
        with pytest.raises(UserError, match=lines):
            cells(path)
        assert cells(path, quoted=False) == [tuple(row) for row in rows]
    # Without the closing quote, and with one inside a cell.
    for closing in ("", 'b"c'):
        rows[opened_in + closed_after][place] = closing
        path.write_text("".join(("\t" if suffix == ".tsv" else ",").join(r) + "\n" for r in [["text", "label"], *rows]))
        assert cells(path) == [tuple(row) for row in rows]


def test_where_both_readings_are_possible_the_user_decides(tmp_path):
    path = tmp_path / "both.csv"
    path.write_text('text,label\n"quoted",a\n"one,b\ntwo",c\nthree,a\n')
    with pytest.raises(UserError, match=r"both\.csv: lines 3 to 4 are one quoted cell, .* set quoted = false if cells"):
        cells(path)
    assert cells(path, quoted=True) == [("quoted", "a"), ("one,b\ntwo", "c"), ("three", "a")]
    assert len(cells(path, quoted=False)) == 4


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        ("text,label\na,b\nc\nd,e,f\n", {}, "line 3 has 1 cell instead of 2; line 4 has 3 cells instead of 2$"),
        ("text,label\n" + "a,b,c\n" * 9, {}, r"line 4 has 3 cells instead of 2 \(of 9 such rows\)"),
        ('text,label\n"a,b",c\n"open,d\n', {}, "line 3: a quote opens a cell that is never closed; if cells are never"),
        ('text,label\n"a,b",c\n"d" e,f\n', {"quoted": True}, "line 3: a quote closes a cell, and the cell goes on"),
        ("a,b,c\n", {"columns": ("text", "label")}, "line 1 has 3 cells instead of 2"),
        ("\n\n", {}, "is empty; the first line must name the columns"),
        ("text,label,text\n", {}, "two columns are called 'text'"),
    ],
)
def test_lines_that_no_dialect_reads_are_named(content, form, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        cells(path, **form)
    assert str(caught.value).startswith(f"{path}: ")


def test_columns_without_a_name_are_nobodys(tmp_path):
    path = tmp_path / "pandas.csv"
    path.write_text(",text,label,,\n0,a,x,,\n1,b,y,z,\n")
    assert dialect_of(path, TextFormat()).columns == ("text", "label")
    assert cells(path) == [("a", "x"), ("b", "y")]


def test_a_file_without_a_line_of_names_and_with_any_delimiter_is_read(tmp_path):
    path = tmp_path / "SMSSpam"
    path.write_text('ham\tGo "on\nspam\tFree!\n\nham\tOk\n')
    assert cells(path, columns=("label", "text")) == [("ham", 'Go "on'), ("spam", "Free!"), ("ham", "Ok")]
    path.write_text("text^label\na,b^c\n")
    assert cells(path, delimiter="^") == [("a,b", "c")]


def test_what_pandas_writes_is_read_as_pandas_reads_it(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(ROWS, columns=["text", "label"])
    for options in (
        {},
        {"index": False},
        {"sep": ";"},
        {"sep": "\t"},
        {"quoting": csv.QUOTE_ALL},
        {"encoding": "utf-16"},
    ):
        path = tmp_path / "frame.csv"
        frame.to_csv(path, **options)
        assert cells(path) == ROWS


def test_cells_of_several_lines_are_one_cell_or_the_users_choice(tmp_path):
    path = tmp_path / "poem.csv"
    path.write_text('label,text\na,"Roses are red\nviolets, are blue"\nb,c\n')
    with pytest.raises(UserError, match=r"lines 2 to 3 are one quoted cell, and each looks like a row; set quoted = "):
        cells(path)
    assert cells(path, quoted=True)[0] == ("a", "Roses are red\nviolets, are blue")
    path.write_text('label,text\na,"Roses are red\nviolets, are blue"\nb,"c, d"\n')
    assert cells(path) == [("a", "Roses are red\nviolets, are blue"), ("b", "c, d")]


def test_spaces_after_delimiters_are_no_part_of_quoted_cells(tmp_path):
    path = tmp_path / "spaced.csv"
    path.write_text('text, label\n"a, b", "x"\n"c", "y"\n')
    assert cells(path) == [("a, b", "x"), ("c", "y")]


def test_a_long_cell_and_an_empty_last_cell_are_read(tmp_path):
    path = table(tmp_path / "long.csv", [("x" * 300_000, "a"), ("y", "b")])
    assert [len(text) for text, _ in cells(path)] == [300_000, 1]
    path.write_text("text,label\na,b,\nc,d\n")
    assert cells(path) == [("a", "b"), ("c", "d")]
