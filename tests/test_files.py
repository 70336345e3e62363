"""Untrusted files: bounded size, known version, one-line errors."""

import json
import sys
import time
import tracemalloc

import pytest
from ftbench import Record, RunError
from ftbench.files import check_version, parse_json, parse_toml, parsed_size, read_text
from hypothesis import given
from hypothesis import strategies as st


def test_a_file_is_read_whole_or_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes("é".encode() * 3)
    assert read_text(path) == "ééé"
    for content, most, mistake in ((b"x" * 9, 8, "is larger than"), (b"a\xff", 8, "not UTF-8 at byte 1")):
        path.write_bytes(content)
        with pytest.raises(RunError, match=mistake):
            read_text(path, most)
    with pytest.raises(RunError, match="is not a file"):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[-Infinity]", "1e999", "[" * 10**6, '"\\ud800"', '{"a\\udfff": 1}', "1" * 5000]
)
def test_what_is_not_json_or_cannot_be_written_again_is_a_line(text):
    with pytest.raises(RunError, match="x: not JSON: ") as caught:
        parse_json(text, "x")
    assert len(str(caught.value)) < 200


def size_of(value):
    """Return the bytes a parsed JSON value takes."""
    own = sys.getsizeof(value)
    if isinstance(value, dict):
        return own + sum(size_of(key) + size_of(one) for key, one in value.items())
    return own + sum(map(size_of, value)) if isinstance(value, list) else own


@pytest.mark.parametrize(
    "one", ["{}", "[]", '""', "0.5", "12345678901", '"ab"', '{"a":{}}', '{"ab":0}', "[[],[]]", "null"]
)
@pytest.mark.parametrize("size", [1000, 400_000])
def test_memory_is_estimated_from_above(one, size):
    text = f"[{','.join([one] * (size // (len(one) + 1)))}]"
    assert size_of(json.loads(text)) < parsed_size(text) == parsed_size(text.encode())
    names = "{" + ",".join(f'"{number:x}":0' for number in range(size // 8)) + "}"
    assert size_of(json.loads(names)) < parsed_size(names)


def test_a_document_of_too_many_values_is_refused_before_it_is_parsed():
    text = f"[{'{},' * 5_400_000}{{}}]"
    tracemalloc.start()
    with pytest.raises(RunError, match="x: has too many values: it would take more than 384 MiB of memory"):
        parse_json(text, "x")
    with pytest.raises(RunError, match="has too many values"):
        Record.from_json(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6
    assert parse_json(f"[{'0,' * 2_000_000}0]", "x") == [0] * 2_000_001


@given(st.text())
def test_every_text_comes_through_json(text):
    import json

    assert parse_json(json.dumps(text), "x") == text


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 300_000 + "=1",
        "[" + "a . " * 100_000 + "a]",
        'x = {"a b"' + '."a b"' * 100_000 + " = 1}",
        "a = " + "[" * 10**5,
    ],
)
def test_toml_that_would_take_hours_is_refused_at_once(text):
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"a key of more than 64 parts in line 1|nested too deeply"):
        parse_toml(text)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("text", ["a" * 10**6, '"' * 10**6, "a." * 60 + "\n" + "a." * 60, "'a' " * 10**5, ". " * 10**5])
def test_looking_for_such_keys_takes_no_longer_than_the_file(text):
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"Expected|Invalid|Illegal"):
        parse_toml(text)
    assert time.monotonic() - started < 20


def test_paths_and_numbers_are_no_long_keys():
    names = [f"data/part-{n}.csv" for n in range(200)]
    assert parse_toml(f"a = {names}\nb = [{'0.1, ' * 200}]") == {"a": names, "b": [0.1] * 200}


def test_a_newer_version_is_told_from_what_is_no_version():
    check_version("ftbench.record/1", "ftbench.record/1", "x")
    with pytest.raises(
        RunError, match=r"^x: made by a newer ftbench \(ftbench.record/2; this one reads ftbench.record/1\); update"
    ):
        check_version("ftbench.record/2", "ftbench.record/1", "x")
    for other in (None, 3, "ftbench.bundle/2", "ftbench.record/x", "ftbench.record/0", ["a"]):
        with pytest.raises(RunError, match=r"schema .* is not 'ftbench.record/1'"):
            check_version(other, "ftbench.record/1", "x")
