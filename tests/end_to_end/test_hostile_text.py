"""Texts of records that would command a terminal, a log of GitHub Actions, a Markdown page or a spreadsheet."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
from ftbench.records.bundle import unpack
from PIL import Image

from tests.end_to_end.test_versions import GOLDEN
from tests.support.in_process import call, run_in
from tests.support.made_runs import bundled, record_paths

HOSTILE = (
    "\x1b]0;pwned\x07\x1b[2J\n::error::pwn\r\n\t::stop-commands::x ##[add-mask]lora ##[error]x \x9b2J \u202eevil\u202c "
    "\u200b\ufeff\u2066 <img src=x onerror=alert(1)> @team |cell| =1+1 [a](javascript:b)\u2028# heading"
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
FREE = ("message", "kind", "traceback", "method", "reason", "licence", "source", "note", "unit", "flags", "classes")
"""Fields of a record with free text."""


def spoilt(value, name=""):
    """Return a JSON value with something hostile in every free text."""
    if isinstance(value, dict):
        return {key: spoilt(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [spoilt(one, name) for one in value]
    return value + HOSTILE if isinstance(value, str) and name in FREE else value


def spoil(record, failing):
    """Replace every text of a record that nothing is looked up by with a hostile one."""
    record.update(spoilt({name: record[name] for name in ("measurements", "failure")}))
    record["provenance"] = {**record["provenance"], **spoilt({"data": record["provenance"].get("data", {})})}
    record["provenance"]["hardware"] = {**record["provenance"]["hardware"], "cpu": HOSTILE}
    record["classes"] = {task: [f"{name}{HOSTILE}" for name in names] for task, names in record["classes"].items()}
    record["trial"]["suite"] += HOSTILE
    record["trial"]["strategy"]["options"]["x"] = HOSTILE
    record["trial"]["role"], record["trial"]["values"] = "final", {"strategy.x": HOSTILE}
    record["earlier"] = [{"number": 1, "status": "infra", "kind": HOSTILE, "message": HOSTILE, "seconds": 1.0}]
    record["attempts"] = 2
    if failing:
        record["status"] = "error"
        record["failure"] = {"kind": HOSTILE, "message": HOSTILE, "traceback": f"Traceback\n{HOSTILE}"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("a", "b"):
        run = folder / name
        unpack(GOLDEN / "run-notes-1.zip", run)
        for number, path in enumerate(record_paths(run)):
            record = json.loads(path.read_text())
            spoil(record, failing=number == 0 and name == "b")
            path.write_text(json.dumps(record))
        attempt = record_paths(run)[0].parent / "attempts" / "1"
        attempt.mkdir(parents=True)
        (attempt / "output.log").write_bytes(f"step\r{HOSTILE}\n".encode() + b"\xff\x1b[31mred")
    return folder


def check(text, *, source):
    assert not UNSEEN.search(text), (source, UNSEEN.search(text))
    for line in text.splitlines():
        assert not line.lstrip().startswith("::"), (source, line)
        assert "##[" not in line, (source, line)


def check_markdown(text, *, source):
    check(text, source=source)
    assert not re.search(r"(?<![\\`])<img", text), source
    assert not re.search(r"(?<!\w)@team", text), source
    assert not re.search(r"(?<!\\)\]\(javascript", text), source


@pytest.mark.parametrize("command", ["show", "logs", "recommend", "compare", "gate", "report"])
def test_no_command_prints_or_writes_what_a_record_commands(command, runs, tmp_path):
    trial = record_paths(runs / "a")[0].parts[-3]
    a, b = runs / "a", runs / "b"
    calls = {
        "show": [
            ("show", run, path.parts[-3], *json_)
            for run in (a, b)
            for path in record_paths(run)
            for json_ in ((), ("--json",))
        ],
        "logs": [("logs", a, trial)],
        "recommend": [("recommend", a), ("recommend", a, "--format", "json")],
        "compare": [("compare", a, b, "--format", form) for form in ("markdown", "csv", "json", "latex")],
        "gate": [("gate", b, "--baseline", a), ("gate", b, "--baseline", a, "--github")],
        "report": [("report", b, *(f"-f{form}" for form in ("csv", "markdown", "latex")), "-o", tmp_path)],
    }
    for arguments in calls[command]:
        done = call(*arguments)
        assert "Traceback (most" not in done.err, arguments
        github = "--github" in arguments
        lines = [line for line in done.out.splitlines() if not (github and re.match("::(error|warning|notice) ", line))]
        check("\n".join([*lines, done.err]), source=arguments)
        check(done.out.replace("\n::", "\n").removeprefix("::"), source=arguments)
        if "json" in arguments or "--json" in arguments:
            json.loads(done.out)
        if arguments == ("recommend", a) or arguments[-1] == "markdown":
            check_markdown(done.out, source=arguments)
    for path in tmp_path.glob("report.*"):
        text = path.read_text()
        check(text, source=path)
        if path.suffix == ".md":
            check_markdown(text, source=path)
        if path.suffix == ".csv":
            assert len(list(csv.reader(io.StringIO(text)))) == len(text.splitlines())
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_json_that_is_shown_has_the_values_of_the_record(runs):
    path = record_paths(runs / "a")[0]
    assert json.loads(call("show", runs / "a", path.parts[-3], "--json").out) == json.loads(path.read_text())


def test_a_log_keeps_its_lines(runs):
    lines = call("logs", runs / "a", record_paths(runs / "a")[0].parts[-3]).out.splitlines()
    assert lines[0] == "step"
    assert lines[1].startswith(r"\x1b]0;pwned\x07\x1b[2J")
    assert lines[2] == r"\::error::pwn"
    assert lines[-1] == "�\\x1b[31mred"


# ---- names that a user's files, classes and options have -------------------------------------------------------------

NAME = "\x1b[2J\u202e##[error]x::error::y\n::error::pwn"
"""Something hostile that a file may be called."""
SUITE = """
name = {name}
seeds = [0]
profile = "smoke"
[training]
steps = 2
batch_size = 8
[machine]
threads = 1
[measure]
meters = ["time"]
[[backbone]]
use = {backbone}
label = {backbone_label}
[[task]]
use = {task}
data = {data}
label = {task_label}
[[strategy]]
use = {strategy}
label = {strategy_label}
"""
USUAL = {
    "name": "s",
    "backbone": "tiny-vit",
    "backbone_label": "b",
    "task": "image-classification",
    "data": NAME,
    "task_label": "t",
    "strategy": "full",
    "strategy_label": "f",
}


def written(path, **values):
    """Write a suite; return the name of its file."""
    path.write_text(SUITE.format(**{name: json.dumps(value) for name, value in {**USUAL, **values}.items()}))
    return path.name


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with images, classes, a suite and a run of hostile names, and flaws that a data check finds."""
    folder = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    for name in "ab":
        images = folder / NAME / f"{NAME}{name}"
        images.mkdir(parents=True)
        for number in range(30):
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(images / f"{number}{NAME}.png")
    first, second = sorted((folder / NAME).iterdir())
    shutil.copy(first / f"0{NAME}.png", first / f"again{NAME}.png")
    shutil.copy(first / f"0{NAME}.png", second / f"other{NAME}.png")
    said = run_in(folder, "run", written(folder / f"{NAME}.toml"), "--runs", NAME + "s", "--allow-data-errors", check=0)
    check_names(said.stdout + said.stderr, source="run")
    assert "same input with different labels" in said.stderr
    return folder


def check_names(text, *, source):
    """Check that a text is safe and shows names; colours that click and rich write themselves are none here."""
    check(text, source=source)
    assert "\u202e" not in text


@pytest.mark.parametrize("field", USUAL)
def test_no_field_of_a_suite_commands(field, place):
    name = written(place / f"{NAME}{field}.toml", **{field: NAME + "x"})
    for command in ("run", "validate", "plan"):
        done = run_in(place, command, name, check=2)
        check_names(done.stdout + done.stderr, source=(command, field))
        assert done.stderr.startswith(r"error: \x1b[2J\u202e##\[error]x::error::y\n::error::pwn")


def test_no_command_prints_what_the_name_of_a_file_commands(place):
    suite, run = f"{NAME}.toml", f"{NAME}s/s"
    trial = record_paths(place / run)[0].parts[-3]
    calls = [
        (0, "run", suite, "--runs", f"{NAME}s"),
        (2, "run", suite, "--runs", "other", "--strict"),
        (2, "run", f"{NAME}x.toml"),
        (2, "run", suite, "--runs", suite),
        (2, "run", f"--{NAME}"),
        (2, NAME),
        *[(0, command, suite) for command in ("validate", "plan", "doctor")],
        (0, "data", "check", suite),
        (2, "retry", suite),
        (0, "retry", run),
        (0, "show", run, trial),
        (2, "show", run, NAME),
        (2, "logs", run, NAME),
        (0, "gc", run, "--dry-run"),
        (0, "recommend", run),
        (0, "report", run, "-o", f"{NAME}o"),
        (2, "report", f"{NAME}x"),
        (0, "bundle", run, "-o", f"{NAME}.zip"),
        (2, "bundle", NAME, "-o", f"{NAME}.zip"),
        (0, "gate", run, "--baseline", f"{NAME}.zip"),
        (0, "gate", f"{NAME}.zip", "--baseline", run),
        (0, "compare", run, f"{NAME}.zip"),
        (0, "leaderboard", "add", run, f"{NAME}r"),
        (2, "leaderboard", "add", run, f"{NAME}r"),
        (2, "leaderboard", "add", f"{NAME}x", f"{NAME}r"),
        (2, "leaderboard", "add", run, suite),
        (0, "leaderboard", "build", f"{NAME}r", "-o", f"{NAME}w"),
        (0, "leaderboard", "verify", f"{NAME}w"),
        (2, "leaderboard", "verify", f"{NAME}x"),
        (0, "new", "suite", "-o", f"{NAME}n.toml"),
        (0, "new", "suite", "--task", "image-classification", "--data", NAME, "-o", f"{NAME}m.toml"),
        (2, "new", "suite", "--task", "image-classification", "--data", NAME, "-o", f"{NAME}m.toml"),
        (0, "export", run, trial, f"{NAME}e"),
    ]
    for code, *arguments in calls:
        done = run_in(place, *arguments)
        assert done.returncode == code, (arguments, done.stdout + done.stderr)
        check_names(done.stdout + done.stderr, source=arguments)
    (place / f"{NAME}w" / f"{NAME}.svg").write_text("")
    done = run_in(place, "leaderboard", "verify", f"{NAME}w", check=1)
    check_names(done.stdout + done.stderr, source="verify")
    assert "is not a file of this leaderboard" in done.stdout


def test_a_run_with_hostile_records_is_refused_in_lines_that_command_nothing(runs, tmp_path):
    for run in (runs / "a", runs / "b"):
        for submitted in (run, bundled(run, tmp_path / f"{NAME}{run.name}.zip")):
            for arguments in (("add", submitted, tmp_path / NAME), ("build", submitted, "-o", tmp_path / "site")):
                done = call("leaderboard", *arguments)
                assert done.code == 2, done
                check_names(done.out + done.err, source=arguments)
                assert all(line.startswith("error: ") for line in done.err.splitlines())
                assert not (tmp_path / "site").exists()
