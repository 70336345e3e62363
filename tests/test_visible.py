"""What may be shown: nothing that moves a cursor, and a mistake is one line whatever is in it."""

from ftbench import UserError
from ftbench.visible import visible
from hypothesis import given
from hypothesis import strategies as st


def test_what_would_move_the_cursor_is_written_out():
    assert visible("a\x1b[2Jb\nc\ud800 é 日本") == "a\\x1b[2Jb\\nc\\ud800 é 日本"
    assert visible("a\n\tb\r", "\n\t") == "a\n\tb\\r"


@given(st.text(st.characters(exclude_categories=[])))
def test_a_mistake_is_one_line_that_can_be_printed(text):
    (line,) = UserError(text).mistakes
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")
