"""Sizes of memory."""

import pytest
from ftbench.sizes import read_size


@pytest.mark.parametrize(
    ("text", "size"), [("16GB", 16 * 10**9), ("1.5GiB", 3 * 2**29), ("80 G", 80 * 10**9), ("512", 512), ("2KiB", 2048)]
)
def test_units_of_a_thousand_and_of_1024(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "16XB", "-1GB", "1,5GB", "16GBs"])
def test_what_is_no_size_is_none(text):
    assert read_size(text) is None
