"""Data that are not what they should be, through the real command line: a line each, its place, and the exit code."""

import json

import numpy as np
import pytest

SUITE = """
name = "s"
seeds = [0]
profile = "smoke"
[training]
steps = 1
[machine]
threads = 1
[[backbone]]
use = "{backbone}"
[[task]]
use = "{task}"
{options}
[[strategy]]
use = "none"
"""


@pytest.fixture
def suite(tmp_path):
    def write(options, task="text-classification", backbone="minilm"):
        (tmp_path / "s.toml").write_text(SUITE.format(task=task, backbone=backbone, options=options))
        return "s.toml"

    return write


def table(path, rows, columns=("text", "label")):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(row) for row in (columns, *rows)) + "\n")


def sound_rows(count=40, begin=0):
    words = np.random.default_rng(0).permutation([f"word{n}" for n in range(200)])
    return [(" ".join(words[(begin + n + np.arange(5) * 7) % 200]), ("no", "yes")[n % 2]) for n in range(count)]


BROKEN = {
    "no such file": ({}, 'data = "a.csv"', "data: a.csv: no such file or folder"),
    "empty file": ({"a.csv": b""}, 'data = "a.csv"', "a.csv: is empty; the first line must name the columns"),
    "missing column": (
        {"a.csv": b"words,label\na,b\n"},
        'data = "a.csv"',
        "a.csv: has no column 'text'; its columns: words, label",
    ),
    "missing group": (
        {"a.csv": b"text,label\na,b\n"},
        'data = "a.csv"\ngroup = "who"',
        "a.csv: has no column 'who'; its columns: text, label",
    ),
    "column twice": ({"a.csv": b"text,text,label\n"}, 'data = "a.csv"', "a.csv: two columns are called 'text'"),
    "not UTF-8 in the first line": (
        {"a.csv": b"te\xffxt,label\n"},
        'data = "a.csv"',
        "a.csv: not UTF-8 in line 1; save it as UTF-8",
    ),
    "not UTF-8 in the first row": (
        {"a.jsonl": b'{"text": "caf\xe9", "label": "a"}\n'},
        'data = "a.jsonl"',
        "a.jsonl: not UTF-8 in line 1; save it as UTF-8",
    ),
    "no JSON": ({"a.jsonl": b"{text\n"}, 'data = "a.jsonl"', "a.jsonl: line 1 is not JSON: Expecting property name"),
    "no Parquet": ({"a.parquet": b"PAR1 cut short"}, 'data = "a.parquet"', "a.parquet: not a Parquet file: "),
    "unknown kind": (
        {"a.ods": b"PK"},
        'data = "a.ods"',
        "a.ods: unknown file type .ods; save the sheet as 'CSV UTF-8'",
    ),
    "no test": ({"d/train.csv": b"text,label\n"}, 'data = "d"', "data: d: has train but no test"),
    "other columns in one split": (
        {"d/train.csv": b"text,label\n", "d/test.csv": b"text,class\n"},
        'data = "d"',
        "d/test.csv: has no column 'label'; its columns: text, class",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_be_seen_without_reading_all_is_found_by_validate(name, ftbench, suite, tmp_path):
    files, options, message = BROKEN[name]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    done = ftbench("validate", suite(options))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: s.toml: task[1]: ")
    assert message in line


LONG = 4_000
"""Rows that are more than is looked at for the names of columns."""
DEEPER = {
    "not UTF-8 in a later row": (
        b"text,label\n" + b"fine,a\nfine too,b\n" * LONG + b"caf\xe9,a\n",
        "a.csv",
        "a.csv: not UTF-8 in line 8002; save it as UTF-8",
    ),
    "not UTF-8 in a later line": (
        b'{"text": "a", "label": "x"}\n' * LONG + b'{"text": "caf\xe9", "label": "y"}\n',
        "a.jsonl",
        "a.jsonl: not UTF-8 in line 4001; save it as UTF-8",
    ),
    "a line that is no JSON": (
        b'{"text": "a", "label": "x"}\n{"text": \n',
        "a.jsonl",
        "a.jsonl: line 2 is not JSON: Expecting value",
    ),
    "one class": (b"text,label\n" + b"a,b\n" * 20, "a.csv", "column 'label' holds 1 classes; at least two are needed"),
    "no class": (b"text,label\n" + b"a,\n" * 20, "a.csv", "column 'label' holds 0 classes; at least two are needed"),
    "no rows": (b"text,label\n", "a.csv", "a.csv: has no rows"),
    "too few rows": (b"text,label\na,b\nc,d\n", "a.csv", "no example is left for the"),
}


@pytest.mark.parametrize("name", DEEPER)
def test_what_must_be_read_is_found_before_anything_is_trained(name, ftbench, suite, tmp_path):
    content, path, message = DEEPER[name]
    (tmp_path / path).write_bytes(content)
    suite(f'data = "{path}"')
    done = ftbench("run", "s.toml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: s.toml: task[1]: ")
    assert message in line
    assert not (tmp_path / "runs").exists()


def checked(ftbench, *arguments):
    """Give what a strict check of the data says, and see that a strict run then does nothing."""
    done = ftbench("data", "check", "s.toml", "--strict")
    assert done.returncode == 2
    return done.stdout


def test_labels_that_stand_in_the_test_split_alone_empty_classes_and_rows_in_two_splits_are_told(
    ftbench, suite, tmp_path
):
    train, test = sound_rows(), sound_rows(12, 100)
    table(tmp_path / "d" / "train.csv", train)
    table(tmp_path / "d" / "test.csv", [*test, train[3], (test[0][0] + " more", "new")])
    suite('data = "d"\nlabels = ["no", "yes", "new", "never"]')
    told = checked(ftbench)
    assert "error   1 × class in the test split only: 'new'; it cannot be learnt; divide the data differently" in told
    assert "warning 1 × class without examples: 'never'; remove it from `labels`, or add examples" in told
    assert "error   1 × same input in two splits: " in told
    refused = ftbench("run", "s.toml", "--strict")
    assert refused.returncode == 2
    assert all(line.startswith("error: s.toml: text-classification: ") for line in refused.stderr.splitlines())
    assert not (tmp_path / "runs").exists()
    suite('data = "d"\nlabels = ["no", "yes"]')
    done = ftbench("run", "s.toml")
    assert done.returncode == 2
    assert done.stderr == "error: s.toml: task[1]: labels: the data contain 'new' in 1 row, not among no, yes\n"


@pytest.mark.parametrize(
    ("task", "backbone", "name", "noun"),
    [
        ("image-classification", "tiny-vit", "x.png", "an image"),
        ("audio-classification", "tiny-wav2vec2", "x.wav", "a sound"),
    ],
)
def test_an_unreadable_file_is_told_before_and_named_in_the_record(
    task, backbone, name, noun, ftbench, suite, tmp_path
):
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    for n in range(16):
        path = tmp_path / "d" / "ab"[n % 2] / f"{n}{name[1:]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("png"):
            Image.fromarray(rng.integers(0, 255, (28, 28), dtype=np.uint8)).save(path)
        else:
            soundfile.write(path, rng.normal(0, 0.1, 8000), 8000)
    (tmp_path / "d" / "a" / name).write_bytes(b"not what it says")
    suite('data = "d"', task, backbone)
    kind = "image" if noun == "an image" else "sound"
    assert f"error   1 × {kind} unreadable: " in checked(ftbench)
    done = ftbench("run", "s.toml", "--allow-data-errors")
    assert done.returncode == 1
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("runs/s/trials/*/*/record.json")]
    assert record["failure"]["kind"] == "UserError"
    assert record["failure"]["message"].startswith(f"d/a/{name}: cannot be read as {noun}: ")


def test_reading_data_opens_no_connection(tmp_path):
    import os
    import subprocess
    import sys

    table(tmp_path / "a.csv", sound_rows())
    code = "import socket\ndef no(*a, **k): raise SystemExit('a connection')\nsocket.socket.connect = socket.getaddrinfo = no\n"
    code += "from pathlib import Path\nfrom ftbench.data.table_files import read_table\nimport datasets.load\n"
    code += "datasets.load.get_session = no\nprint(len(read_table(Path('a.csv'))))"
    online = {
        name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=online)
    assert done.stdout == "40\n", done.stdout + done.stderr
