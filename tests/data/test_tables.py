"""Tables: cells as text."""

from ftbench.data.tables import as_text


def test_cells_become_text_without_surprises():
    assert [as_text(cell) for cell in (None, float("nan"), 3.0, 3.5, " a ", 7, "")] == [
        "",
        "",
        "3",
        "3.5",
        "a",
        "7",
        "",
    ]
