"""Number formats, sizes, and text made safe to print."""

import json

import pytest
from ftbench import UserError
from ftbench.formatting import collapsed, one_line, read_size, unmentioned, visible, visible_json
from ftbench.reporting import count, quantity
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.876, "1", "87.6 %"),
        (3 * 2**20, "B", "3.0 MiB"),
        (3 * 2**30, "B", "3.00 GiB"),
        (22_713_216, "parameters", "22.7 M"),
        (0.00879, "s", "8.79 ms"),
        (0.0, "s", "0.0 s"),
        (12.34, "s", "12.3 s"),
        (1200, "s", "20 min"),
        (1.5e9, "FLOP", "1.5 GFLOP"),
        (12, "FLOP", "12 FLOP"),
        (1.41e9, "Hz", "1410 MHz"),
        (99.6, "W", "100 W"),
        (1234.5, "tokens/s", "1,234 tokens/s"),
        (1.2345, "tokens/s", "1.23 tokens/s"),
    ],
)
def test_a_quantity_is_written_in_the_unit_people_use(value, unit, written):
    assert quantity(value, unit) == written


def test_counts_go_up_to_tera():
    assert [count(value) for value in (999, 1e3, 1e6, 1e9, 1e12)] == ["999", "1.0 k", "1.0 M", "1.0 G", "1.0 T"]


def test_text_that_may_hold_anything_is_one_line():
    assert one_line("a\nb\x00\u202e\u2028c\ud800") == r"a\nb\x00\u202e\u2028c\ud800"
    assert one_line("ä 🦆") == "ä 🦆"
    assert one_line("x" * 500) == "x" * 399 + "…"
    assert collapsed(" a\n\tb\x1bc\u2028 ä 🦆 ") == "a b c ä 🦆"


@pytest.mark.parametrize(
    ("text", "size"), [("16GB", 16 * 10**9), ("1.5GiB", 3 * 2**29), ("80 G", 80 * 10**9), ("512", 512), ("2KiB", 2048)]
)
def test_units_of_a_thousand_and_of_1024(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "16XB", "-1GB", "1,5GB", "16GBs"])
def test_what_is_no_size_is_none(text):
    assert read_size(text) is None


def test_what_a_log_of_github_would_obey_is_broken():
    assert visible("a ##[error]b ###[x]") == r"a ##\[error]b ###\[x]"
    assert visible("::error::x\n \t::y\nz ::w", "\n\t") == "\\::error::x\n\\ \t::y\nz ::w"
    assert one_line("##[x]") == collapsed("##[x]") == r"##\[x]"
    assert collapsed("::error::x") == r"\::error::x"


@given(st.text())
def test_json_that_is_shown_has_the_same_values(text):
    value = {"##[": text, "a": [f"##[{text}\x9b\u202e\U000e0041", 1.5]}
    for ascii_only in (False, True):
        shown = visible_json(json.dumps(value, indent=1, ensure_ascii=ascii_only))
        assert json.loads(shown) == value
        assert "##[" not in shown
        assert not set(shown) & {"\x9b", "\u202e", "\U000e0041"}


def test_nobody_is_notified():
    assert unmentioned("@team a@b (@x) lora@8 @") == "@ team a@b (@ x) lora@8 @"


def test_what_would_move_the_cursor_is_written_out():
    assert visible("a\x1b[2Jb\nc\ud800 é 日本") == "a\\x1b[2Jb\\nc\\ud800 é 日本"
    assert visible("a\n\tb\r", "\n\t") == "a\n\tb\\r"


@given(st.text(st.characters(exclude_categories=[])))
def test_a_mistake_is_one_line_that_can_be_printed(text):
    (line,) = UserError(text).mistakes
    assert len(line.splitlines()) <= 1
    line.encode("utf-8")
