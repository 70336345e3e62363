import datetime as dt
import re
import sys
import zipfile

import openpyxl
import pytest
from ftbench.data.reading import workbooks
from ftbench.data.reading.text_files import TextFormat
from ftbench.data.table_files import read_table, row_lines, table_columns
from ftbench.errors import UserError


def workbook(path, /, *, hidden=(), **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if title in hidden:
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


def changed(path, part, old, new):
    """Replace text in a part of a workbook, as programs other than openpyxl write it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


SHEET = "xl/worksheets/sheet1.xml"


def cells(path, **form):
    table = read_table(path, form=TextFormat(**form))
    return [tuple(row.values()) for row in table.rows(range(len(table)), table.columns)]


def test_cells_are_the_texts_that_the_same_sheet_saved_as_csv_has(tmp_path):
    day = dt.datetime(2020, 1, 31)  # noqa: DTZ001 - workbooks have no time zones
    values = [1, 1.0, 0.1 + 0.2, -2.5, 1e20, True, "007", " a ", "NA", day, day.replace(hour=7), "é\nz", None]
    path = workbook(tmp_path / "a.xlsx", reviews=[["value", "label"], *([value, 0] for value in values)])
    found = [value for value, _ in cells(path)]
    shown = ["1", "1", "0.3", "-2.5", "1e+20", "TRUE", "007"]
    assert found == [*shown, " a ", "NA", "2020-01-31", "2020-01-31 07:00:00", "é\nz", ""]
    assert {label for _, label in cells(path)} == {"0"}


def test_labels_in_a_workbook_are_those_of_pandas_as_text(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [1.0, 0.0, 1.0], "score": [0.5, 1e-7, 12345.678]})
    frame.to_excel(tmp_path / "a.xlsx")
    frame.astype({"label": int}).to_csv(tmp_path / "a.csv")
    assert table_columns(tmp_path / "a.xlsx") == ("text", "label", "score")
    written = [(text, label, float(score)) for text, label, score in cells(tmp_path / "a.csv")]
    assert [(text, label, float(score)) for text, label, score in cells(tmp_path / "a.xlsx")] == written


def test_empty_rows_and_sheets_are_skipped_and_rows_keep_their_numbers(tmp_path):
    rows = [[], [None, "text", "label", None], [7, "a", "x"], [], [8, "b"]]
    path = workbook(tmp_path / "a.xlsx", first=rows, second=[], notes=[["text"], ["no"]], hidden=("notes",))
    assert table_columns(path) == ("text", "label")
    assert cells(path) == [("a", "x"), ("b", "")]
    assert list(row_lines(path)) == [3, 5]
    assert cells(path, sheet="notes") == [("no",)]
    named = workbook(tmp_path / "b.xlsx", first=[["a", 1], ["b", 2]])
    assert cells(named, columns=("text", "label")) == [("a", "1"), ("b", "2")]


def test_sizes_that_a_sheet_declares_wrongly_do_not_matter(tmp_path):
    path = workbook(tmp_path / "a.xlsx", one=[["text", "label"], ["a", 1], ["b", 2]])
    changed(path, SHEET, b'<dimension ref="A1:B3"', b'<dimension ref="A1:A1"')
    assert cells(path) == [("a", "1"), ("b", "2")]
    changed(path, SHEET, b'<dimension ref="A1:A1"', b'<dimension ref="A1:XFD1048576"')
    assert cells(path) == [("a", "1"), ("b", "2")]


def test_stored_results_of_formulas_are_read_and_missing_ones_are_named(tmp_path):
    rows = [["text", "label"], *([f"={number}+1", 0] for number in range(5))]
    path = workbook(tmp_path / "a.xlsx", one=rows)
    with pytest.raises(UserError, match=r"a\.xlsx: A2, A3, A4 and 2 more: a formula without a stored value; open "):
        table_columns(path)
    for number in range(5):
        changed(path, SHEET, f"<f>{number}+1</f><v />".encode(), f"<f>{number}+1</f><v>{number + 1}</v>".encode())
    assert [value for value, _ in cells(path)] == ["1", "2", "3", "4", "5"]
    changed(path, SHEET, b'<c r="A2"><f>0+1</f><v>1</v>', b'<c r="A2" t="str"><f>""</f><v></v>')
    assert cells(path)[0] == ("", "0")


def not_a_zip(path):
    path.write_bytes(b"text,label\na,b\n")


def several(path):
    workbook(path, one=[["text"], ["a"]], two=[["text"], ["b"]])


def empty(path):
    workbook(path, one=[], two=[[]])


def twice(path):
    workbook(path, one=[["text", "text"], ["a", "b"]])


def beyond(path):
    workbook(path, one=[["text", "label"], ["a", 0], ["b", 1, "why?"]])


def errors(path):
    workbook(path, one=[["text", "label"], ["a", "#N/A"], ["b", 1]])
    book = openpyxl.load_workbook(path)
    book.active["B2"].data_type = "e"
    book.save(path)


def cut_short(path):
    several(path)
    path.write_bytes(path.read_bytes()[:-200])


def damaged_xml(path):
    workbook(path, one=[["text", "label"], ["a", 0]])
    changed(path, SHEET, b"</row>", b"</wor>")


def unknown_string(path):
    workbook(path, one=[["text", "label"], ["a", 0]])
    changed(path, SHEET, b't="n"><v>0</v>', b't="s"><v>2000</v>')


def no_sheet(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")


def too_many_rows(path):
    workbook(path, one=[["text", "label"], ["a", 0]])
    changed(path, SHEET, b'<row r="2">', b'<row r="999999999">')


def dense(path):
    workbook(path, one=[["text", "label"], ["a", 0]])
    changed(path, SHEET, b"</sheetData>", b"<row/>" * 2**22 + b"</sheetData>")


BROKEN = {
    not_a_zip: "cannot be read as an Excel workbook: File is not a zip file; save it again, or save the sheet",
    several: 'has 2 sheets: one, two; choose one: sheet = "one"',
    empty: "is empty; the first row of its sheet must name the columns",
    twice: "two columns are called 'text'",
    beyond: "C3: a cell in a column without a name; name all columns in the first row",
    errors: "B2: the error #N/A; correct the formula, or clear the cell",
    cut_short: "cannot be read as an Excel workbook: ",
    damaged_xml: "cannot be read as an Excel workbook: mismatched tag",
    unknown_string: "cannot be read as an Excel workbook: list index out of range",
    no_sheet: "cannot be read as an Excel workbook: ",
    too_many_rows: "cannot be read as an Excel workbook: one has more than 1,048,576 rows",
    dense: "xl/worksheets/sheet1.xml unpacks to more than 100 times its size",
}


@pytest.mark.parametrize("make", BROKEN)
def test_a_broken_workbook_is_one_line_with_its_name(make, tmp_path):
    path = tmp_path / "a.xlsx"
    make(path)
    with pytest.raises(UserError, match=re.escape(BROKEN[make])) as caught:
        table_columns(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 100)
    several(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match="the most is "):
        table_columns(tmp_path / "a.xlsx")


def test_a_sheet_that_does_not_exist_or_does_not_apply_is_named(tmp_path):
    several(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match=r"has no sheet 'three'; its sheets: one, two"):
        table_columns(tmp_path / "a.xlsx", TextFormat(sheet="three"))
    (tmp_path / "a.csv").write_text("text\na\n")
    with pytest.raises(UserError, match=r"a\.csv: sheet: applies only to Excel workbooks"):
        table_columns(tmp_path / "a.csv", TextFormat(sheet="three"))


def test_without_openpyxl_the_package_to_install_is_named(tmp_path, monkeypatch):
    several(tmp_path / "a.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match=re.escape("pip install 'ftbench[excel]', or save the sheet as 'CSV UTF-8'")):
        table_columns(tmp_path / "a.xlsx")


def test_a_workbook_under_another_name_is_named(tmp_path):
    several(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").rename(tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"is an Excel workbook; name it \.xlsx, or save the sheet"):
        table_columns(tmp_path / "a.csv")
