"""Whatever a file holds: never a traceback, never a hang, never a write outside the run directory.

Every example goes through the command line. A few of each kind run by default; `make fuzz` runs more than ten thousand.
"""

import csv
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from ftbench.records.bundle import unpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.end_to_end.test_links import HOW, everything
from tests.end_to_end.test_versions import GOLDEN
from tests.records.test_bundle import forged
from tests.support import bombs
from tests.support.in_process import call
from tests.support.made_runs import record_paths
from tests.support.mutations import at, change_bytes, change_json, change_toml, places

LONGEST = 60
"""Seconds a command may take before it is taken to hang; a machine that does other things takes some."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watchman:
    """Notes what is written where nothing may be: it hears of every file that is opened, made, moved or removed."""

    def __init__(self):
        self.allowed, self.noted = (), []
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if not self.allowed:
            return
        if event == "open":
            path, _, flags = arguments
            paths = [path] if isinstance(flags, int) and flags & WRITING else []
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link"):
            # Removing a tree goes from folder to folder: what is in one that was heard of has no place of its own.
            paths = [arguments[0]] if arguments[-1] == -1 else []
        elif event == "os.rename":
            paths = arguments[:2]
        else:
            return
        for path in paths:
            if isinstance(path, int):
                continue
            place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - a path is not to be followed
            if (
                not place.startswith(self.allowed)
                and not place.endswith((".pyc", "/dev/null"))
                and ".pyc." not in place
            ):
                self.noted.append((event, place))


@pytest.fixture(scope="module")
def watchman():
    return Watchman()


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files that nobody else writes to."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@contextmanager
def watched(watchman, run, temporary):
    """Let a command write to its run directory, the cache, and a temporary folder of ftbench's alone, and not for ever."""

    def hangs(*_):
        raise TimeoutError("it hangs")

    watchman.noted.clear()
    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LONGEST)
    watchman.allowed = (str(run), os.environ["FTBENCH_CACHE"], f"{temporary}/ftbench-")
    try:
        yield
    finally:
        watchman.allowed = ()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert not watchman.noted
    assert not list(temporary.iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory, model_folder):
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(model_folder("bert"), folder / "bert")
    unpack(GOLDEN / "run-notes-1.zip", folder / "golden")
    unpack(GOLDEN / "run-notes-1.zip", folder / "other")
    for number, path in enumerate(record_paths(folder / "golden")):
        # A few records are enough to look at, and quicker.
        record = json.loads(path.read_text())
        if number > 6 and record["trial"]["target"] == "digits":
            record["curves"] = []
            path.write_text(json.dumps(record))
    with (folder / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [("text", "label"), *((f"row {n} is {'good' if n % 2 else 'bad'}", n % 2) for n in range(40))]
        )
    rows = [{"text": f"row {n}", "label": ["a", "b"][n % 2]} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "rows.json").write_text(json.dumps(rows))
    import pandas as pd

    pd.DataFrame(rows).to_parquet(folder / "rows.parquet")
    return folder


def survives(watchman, run, *arguments):
    with watched(watchman, run, Path(tempfile.gettempdir())):
        done = call(*arguments)
    assert done.code in (0, 1, 2, 3, 4, 5), done.err
    assert "Traceback" not in done.err
    if done.code == 2:
        assert all(
            line.startswith("error: ")
            for line in done.err.splitlines()
            if not line.startswith(("data: ", "warning")) and line
        ), done.err
    return done


SUITES = [GOLDEN / "suite-0.toml", GOLDEN / "suite-1.toml", ROOT / "suites" / "quickstart.toml"]


def fuzz_suite(rnd, place, watchman):
    path = place / "suite.toml"
    path.write_bytes(change_toml(rnd, rnd.choice(SUITES).read_text()))
    survives(watchman, place / "runs", rnd.choice(["validate", "plan"]), path)


def commands(rnd, run, place):
    trial = record_paths(place / "other")[0].parts[-3]
    return rnd.choice(
        [
            ("show", run, trial),
            ("show", run, ""),
            ("compare", run, place / "other"),
            ("compare", place / "other", run),
            ("compare", run, "--baseline", "full"),
            ("gate", run, "--baseline", place / "other"),
            ("gate", place / "other", "--baseline", run),
            ("report", run, "-f", rnd.choice(["csv", "markdown", "html"])),
            ("recommend", run),
            ("gc", run, "--dry-run"),
            ("logs", run, trial),
            ("report", run, place / "other", "-f", "markdown", "-o", run),
        ]
    )


def fuzz_record(rnd, place, watchman):
    """Change records, notes and predictions of a run directory."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(place / "golden", run)
    for _ in range(rnd.randint(1, 2)):
        kind = rnd.randrange(8)
        if kind < 5:
            path = rnd.choice(record_paths(run))
            path.write_bytes(change_json(rnd, path.read_text("utf-8", "replace")))
        elif kind == 5:
            path = run / rnd.choice(["plan.json", "accepted.json", "calibration.json"])
            path.write_bytes(change_json(rnd, path.read_text("utf-8", "replace")))
        elif kind == 6:
            (run / "suite.lock.toml").write_bytes(
                change_toml(rnd, (run / "suite.lock.toml").read_text("utf-8", "replace"))
            )
        else:
            path = rnd.choice(sorted(run.rglob("predictions.jsonl.gz")))
            path.write_bytes(changed_predictions(rnd, path.read_bytes()))
    survives(watchman, run, *commands(rnd, run, place))


def changed_predictions(rnd, content):
    if rnd.random() < 0.3:
        return change_bytes(rnd, content)
    try:
        lines = gzip.decompress(content).splitlines()
    except (OSError, EOFError, zlib.error):
        return content  # it was changed before
    place = rnd.randrange(len(lines))
    lines[place] = change_json(rnd, lines[place].decode("utf-8", "replace"))
    return gzip.compress(b"\n".join(lines), mtime=0)


def fuzz_bundle(rnd, place, watchman):
    """Change the bytes of a bundle, or what is in it, with a manifest that says so."""
    path = place / "bundle.zip"
    if rnd.random() < 0.4:
        path.write_bytes(change_bytes(rnd, (GOLDEN / "run-notes-1.zip").read_bytes()))
    else:
        files = {
            str(file.relative_to(place / "other")): file.read_bytes()
            for file in sorted((place / "other").rglob("*"))
            if file.is_file()
        }
        name = rnd.choice(sorted(files))
        content = files.pop(name)
        if name.endswith(".gz"):
            content = changed_predictions(rnd, content)
        else:
            content = (change_toml if name.endswith(".toml") else change_json)(rnd, content.decode())
        renamed = (
            rnd.choice(["../x", "/x", "trials/a/b/x.pkl", "trials/../../y/record.json"]) if rnd.random() < 0.1 else name
        )
        forged(path, {**files, renamed: content})
    arguments = [
        ("compare", place / "other", path),
        ("compare", path, path),
        ("gate", place / "other", "--baseline", path),
    ]
    survives(watchman, place / "nowhere", *rnd.choice(arguments))


DATA = """
name = "data"
seeds = [0]
[training]
steps = 1
[[backbone]]
use = "minilm"
[[task]]
use = "{task}"
data = "{data}"
{more}
[[strategy]]
use = "frozen"
"""


def fuzz_data(rnd, place, watchman):
    """Change a file of data, and ask what is wrong with it."""
    kind = rnd.choice(["csv", "jsonl", "json", "parquet", "csv", "jsonl"])
    data = place / f"changed.{kind}"
    content = (place / f"rows.{kind}").read_bytes()
    if kind in ("jsonl", "json") and rnd.random() < 0.5:
        lines = content.decode().splitlines() if kind == "jsonl" else [content.decode()]
        where = rnd.randrange(len(lines))
        lines[where] = change_json(rnd, lines[where]).decode("utf-8", "replace")
        content = "\n".join(lines).encode("utf-8", "replace")
    else:
        content = change_bytes(rnd, content)
    data.write_bytes(content)
    task = rnd.choice(
        [
            "text-classification",
            "text-classification",
            "text-regression",
            "token-classification",
            "multi-label-classification",
        ]
    )
    suite = place / "data.toml"
    suite.write_text(
        DATA.format(
            task=task,
            data=data,
            more=rnd.choice(["", "folds = 2", "shots = 1", 'labels = ["a", "b"]', "train_size = 7"]),
        )
    )
    survives(watchman, place / "runs", *rnd.choice([("plan", suite), ("data", "check", suite)]))


def fuzz_links(rnd, place, watchman):
    """Replace files and folders of a run directory with links, pipes and devices."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(place / "golden", run)
    command = commands(rnd, run, place)
    for _ in range(rnd.randint(1, 2)):
        path = rnd.choice(sorted(path for path in run.rglob("*") if not path.is_symlink()))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        rnd.choice(HOW)(path, place / "other")
    before = everything(place / "other")
    survives(watchman, run, *command)
    assert everything(place / "other") == before


def fuzz_values(rnd, place, watchman):
    """Read a bundle with very many small values at a random place; it takes less than a gigabyte more."""
    found = bombs.files()
    one = rnd.choice(["{}", "[]", "0", '""', "0.5", '{"a":{}}', "[[]]", "null"])
    junk = bombs.objects(rnd.choice([10**4, 10**5, 10**6, 8 * 10**6]), one)
    name = rnd.choice(sorted(name for name in found if not name.endswith(".toml")))
    if name.endswith(".gz"):
        line = json.dumps({"id": "x", rnd.choice(["a", "label", "probabilities", "group"]): junk[: 10**5]})
        found[name] = gzip.compress(f"{line}\n".encode() * rnd.choice([1, 30]), mtime=0)
    else:
        table = json.loads(found[name])
        path = rnd.choice([path for path in places(table) if path])
        at(table, path[:-1])[path[-1]] = junk
        found[name] = json.dumps(table, separators=(",", ":")).encode()
    path = forged(place / "values.zip", bombs.disguised(found, 10**5))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    command = rnd.choice([("compare", path, path), ("report", path, "-f", "markdown", "-o", place / "written")])
    survives(watchman, place / "written", *command)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20


MODEL = """
name = "model"
seeds = [0]
[training]
steps = 1
[[backbone]]
use = "transformers"
path = "{path}"
[[task]]
use = "word-sentiment"
[[strategy]]
use = "full"
"""


def fuzz_models(rnd, place, watchman):
    """Change a model directory: its configurations, its index, adapters, pickles, links."""
    model = place / "model"
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(place / "bert", model)
    for _ in range(rnd.randint(1, 3)):
        hide = rnd.randrange(5)
        if hide < 2:
            path = rnd.choice(sorted(path for path in model.glob("*.json") if path.is_file()))
            path.write_bytes(change_json(rnd, path.read_text("utf-8", "replace")))
        elif hide == 2:
            names = [
                "../x.safetensors",
                "sub/x.bin",
                "pytorch_model.bin",
                "model-00001-of-00001.safetensors",
                "",
                3,
                None,
            ]
            (model / "model.safetensors").unlink(missing_ok=True)
            (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": rnd.choice(names)}}))
        elif hide == 3:
            name = rnd.choice(["adapter_config.json", "adapter_model.safetensors", "vocab.txt", "chat_template.jinja"])
            (model / name).write_bytes(change_json(rnd, '{"peft_type": "LORA", "r": 4}'))
        else:
            (model / rnd.choice(["model.safetensors", "pytorch_model.bin", "tokenizer.json"])).write_bytes(
                change_bytes(rnd, b"\x80\x04\x95" + bytes(200))
            )
    suite = place / "model.toml"
    suite.write_text(MODEL.format(path=model))
    survives(watchman, place / "runs", rnd.choice(["validate", "plan"]), suite)


KINDS = {
    "suite": fuzz_suite,
    "record": fuzz_record,
    "bundle": fuzz_bundle,
    "data": fuzz_data,
    "links": fuzz_links,
    "values": fuzz_values,
    "models": fuzz_models,
}
FEW = 12
MANY = {"suite": 3500, "record": 3500, "bundle": 2000, "data": 2000, "links": 1000, "values": 300, "models": 1000}
SHARE = float(os.environ.get("FTBENCH_FUZZ", "1"))
"""Of them: less for a quick look, more for a long night."""


def fuzz(kind, examples, place, watchman):
    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, print_blob=False
    )
    @given(st.integers(0, 2**48))
    def go(seed):
        KINDS[kind](random.Random(seed), place, watchman)

    go()


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_or_refused(kind, place, watchman):
    fuzz(kind, 2 if kind == "values" else FEW, place, watchman)


@pytest.mark.thorough
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_more_than_ten_thousand_changed_files_are_read_or_refused(kind, place, watchman):
    fuzz(kind, round(SHARE * MANY[kind]), place, watchman)


def test_the_watchman_hears_what_is_written(watchman, temporary, tmp_path):
    with pytest.raises(AssertionError), watched(watchman, tmp_path / "run", temporary):
        (tmp_path / "x").write_text("x")
    with watched(watchman, tmp_path / "run", temporary):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "x").write_text("x")
        assert (tmp_path / "x").read_text() == "x"
    assert io.StringIO("not a file").read() == "not a file"
