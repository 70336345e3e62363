"""Bundles: everything of a run in one file, and nothing of a file that is not a run's."""

import hashlib
import json
import os
import random
import shutil
import stat
import tempfile
import tracemalloc
import zipfile
import zlib

import pytest
from ftbench import RunError
from ftbench.records.bundle import MANIFEST, pack, unpack
from ftbench.records.predictions import read_predictions
from ftbench.records.record_set import read_record_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.in_process import refused as call_refused
from tests.support.made_runs import copied, record_paths, rewrite


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


@pytest.fixture
def bundle(run, tmp_path):
    pack(run, tmp_path / "run.zip")
    return tmp_path / "run.zip"


def forged(path, files, *, manifest=None, entry=None):
    """Write a zip file of `files` with a manifest of them, or the one given."""
    table = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        content = manifest if manifest is not None else json.dumps({"schema": "ftbench.bundle/1", "files": table})
        if content is not False:
            archive.writestr(MANIFEST, content)
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (entry or stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
    return path


def refused(path, folder):
    with pytest.raises(RunError) as caught:
        unpack(path, folder)
    assert len(caught.value.mistakes) == 1
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_a_bundle_gives_back_the_run(run, bundle, tmp_path):
    unpack(bundle, tmp_path / "back")
    for path in (tmp_path / "back").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (run / path.relative_to(tmp_path / "back")).read_bytes()
    assert len(record_paths(tmp_path / "back")) == 6
    assert len(list((tmp_path / "back").rglob("predictions.jsonl.gz"))) == 6
    one, other = read_record_set(bundle), read_record_set(run)
    assert (one.suite, one.records, one.unfinished, one.gate) == (
        other.suite,
        other.records,
        other.unfinished,
        other.gate,
    )


def test_the_manifest_lists_every_file_with_its_hash(bundle):
    with zipfile.ZipFile(bundle) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        assert {*manifest["files"], MANIFEST} == {*archive.namelist()}
        assert {"suite.lock.toml", "plan.json"} <= {*manifest["files"]}
        for name, about in manifest["files"].items():
            assert about == {"sha256": hashlib.sha256(archive.read(name)).hexdigest(), "bytes": len(archive.read(name))}
    assert not any(
        secret in bundle.read_bytes() for secret in (b"output.log", b"spec.json", str(bundle.parent).encode())
    )


def test_the_same_run_gives_the_same_bytes(run, bundle, tmp_path):
    for path in run.rglob("*"):
        os.utime(path, (1, 1))
    pack(run, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "trials/../../x/record.json",
        "trials/a/b/../record.json",
        "trials/a/b/model.pkl",
        "C:\\x",
        "trials/a\\b/c/record.json",
        "trials/a/b/",
        "x" * 300,
    ],
)
def test_a_name_that_is_not_a_runs_is_refused_and_nothing_written(name, tmp_path):
    assert "is not a name of a file of a run" in refused(
        forged(tmp_path / "f.zip", {name: b"x"}), tmp_path / "to" / "here"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["f.zip"]


def test_links_encryption_and_names_that_stand_twice_are_refused(tmp_path):
    path = tmp_path / "f.zip"
    assert "is not a regular file" in refused(
        forged(path, {"plan.json": b"/etc/passwd"}, entry=stat.S_IFLNK | 0o777), tmp_path / "to"
    )
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(forged(path, {"plan.json": b"{}"}), "a") as archive,
    ):
        archive.writestr("plan.json", b"{}")
    assert "is listed twice" in refused(path, tmp_path / "to")
    raw = bytearray(forged(path, {"plan.json": b"{}"}).read_bytes())
    place = raw.rfind(b"PK\x01\x02")
    raw[place + 8] |= 1
    path.write_bytes(raw)
    assert "is encrypted" in refused(path, tmp_path / "to")


def test_files_that_are_too_large_one_by_one_or_together_are_refused(tmp_path, monkeypatch):
    path = forged(tmp_path / "f.zip", {"trials/a/b/record.json": b"0" * (17 * 2**20)})
    assert path.stat().st_size < 2**20
    assert "larger than 16 MiB" in refused(path, tmp_path / "to")
    monkeypatch.setattr("ftbench.records.bundle.TOTAL", 2**20)
    path = forged(path, {f"trials/a/{n}/record.json": b"0" * 2**19 for n in range(3)})
    assert "in total" in refused(path, tmp_path / "to")
    monkeypatch.setattr("ftbench.records.bundle.MEMBERS", 3)
    assert "has more than 3 files" in refused(path, tmp_path / "to")


def test_a_file_that_lies_about_its_size_is_refused(tmp_path):
    path = forged(tmp_path / "f.zip", {"plan.json": b"0" * 1000})
    raw = bytearray(path.read_bytes())
    place = raw.rfind(b"PK\x01\x02")
    raw[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(raw)
    refused(path, tmp_path / "to")
    written = tmp_path / "to" / "plan.json"
    assert not written.exists() or written.stat().st_size <= 10


def test_what_the_manifest_does_not_say_is_refused(bundle, tmp_path):
    path, to = tmp_path / "f.zip", tmp_path / "to"
    good = {"plan.json": b"{}"}
    assert "has no manifest.json" in refused(forged(path, good, manifest=False), to)
    for content in (
        "{",
        "[]",
        '"x"',
        '{"schema": "ftbench.bundle/1"}',
        '{"schema": "ftbench.bundle/1", "files": {"plan.json": 3}}',
    ):
        assert "is not a manifest" in refused(forged(path, good, manifest=content), to)
    assert "made by a newer ftbench (ftbench.bundle/9; this one reads ftbench.bundle/1)" in refused(
        forged(path, good, manifest='{"schema": "ftbench.bundle/9"}'), to
    )
    assert "'plan.json' is not in the manifest" in refused(
        forged(path, good, manifest='{"schema": "ftbench.bundle/1", "files": {}}'), to
    )
    other = json.dumps(
        {"schema": "ftbench.bundle/1", "files": {"suite.lock.toml": {"sha256": "0"}, "plan.json": {"sha256": "0"}}}
    )
    assert "'suite.lock.toml' is missing" in refused(forged(path, good, manifest=other), to)
    wrong = json.dumps({"schema": "ftbench.bundle/1", "files": {"plan.json": {"sha256": "0"}}})
    assert "its SHA-256 differs" in refused(forged(path, good, manifest=wrong), to)


def test_a_file_that_is_no_bundle_is_one_line(tmp_path):
    for number, content in enumerate((b"", b"PK", b"hello", b"\x80\x04\x95pickle")):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        assert "not a bundle" in refused(path, tmp_path / "to")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), bits=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_bundle_is_refused_or_gives_what_was_packed(bundle, tmp_path, place, bits, cut):
    raw = bytearray(bundle.read_bytes())
    place %= len(raw)
    if cut:
        del raw[place:]
    else:
        raw[place] ^= bits
    path, to = tmp_path / "damaged.zip", tmp_path / "damaged"
    shutil.rmtree(to, ignore_errors=True)
    path.write_bytes(raw)
    try:
        unpack(path, to)
    except RunError as error:
        assert len(error.mistakes) == 1
    else:
        whole = tmp_path / "whole"
        if not whole.exists():
            unpack(bundle, whole)
        assert all(p.read_bytes() == (whole / p.relative_to(to)).read_bytes() for p in to.rglob("*") if p.is_file())


def test_a_broken_record_in_a_bundle_is_named_by_the_bundle(run, tmp_path):
    record_paths(run)[0].write_text('{"schema": "ftbench.record/9"}')
    files = [path for path in run.rglob("*") if path.is_file() and "attempts" not in path.parts]
    files = {str(path.relative_to(run)): path.read_bytes() for path in files if path.name != ".lock"}
    forged(tmp_path / "run.zip", files)
    with pytest.raises(RunError) as caught:
        read_record_set(tmp_path / "run.zip")
    assert str(caught.value).startswith(f"{tmp_path / 'run.zip'}/trials/")
    assert "made by a newer ftbench (ftbench.record/9; this one reads ftbench.record/1)" in str(caught.value)


def test_a_plan_cannot_lead_out_of_its_folder(run):
    plan = json.loads((run / "plan.json").read_text())
    for change in (
        {"trials": ["../../x"]},
        {"trials": ["/etc"]},
        {"trials": [".."]},
        {"trials": [3]},
        {"environment": ".."},
    ):
        (run / "plan.json").write_text(json.dumps({**plan, **change}))
        with pytest.raises(RunError, match=r"not a plan: (trials|environment)"):
            read_record_set(run)


def test_the_command_says_what_it_wrote(ftbench, run, tmp_path):
    done = ftbench("bundle", run, "-o", tmp_path / "b.zip", check=0)
    assert done.stdout.startswith(f"{tmp_path / 'b.zip'}: 6 records, 6 prediction files, ")
    (tmp_path / "empty" / "trials").mkdir(parents=True)
    for folder, mistake in ((tmp_path / "empty", "no trial has finished yet"), (tmp_path, "not a run directory")):
        done = ftbench("bundle", folder, "-o", tmp_path / "c.zip")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert mistake in done.stderr
    assert "cannot be written" in ftbench("bundle", run, "-o", tmp_path / "no" / "where.zip").stderr
    assert not (tmp_path / "c.zip").exists()


def test_what_packs_too_well_is_refused_before_it_is_unpacked(tmp_path):
    path = forged(tmp_path / "f.zip", {"trials/a/b/record.json": b"0" * (15 * 2**20)})
    assert "unpacks to more than 200 times its size" in refused(path, tmp_path / "to")
    assert not (tmp_path / "to").exists()
    for ratio, is_refused in ((180, False), (220, True)):
        noise = random.Random(0).randbytes(4 * 2**20 // ratio - 4 * 2**10)
        path = forged(path, {"trials/a/b/record.json": noise + b"0" * (4 * 2**20 - len(noise))})
        with zipfile.ZipFile(path) as archive:
            packed = archive.getinfo("trials/a/b/record.json").compress_size
        assert ratio - 10 < 4 * 2**20 / packed < ratio + 10
        if is_refused:
            assert "unpacks to more than 200 times its size" in refused(path, tmp_path / "to")
        else:
            unpack(path, tmp_path / "ok")


def test_a_table_of_entries_without_end_is_refused_before_it_is_read(tmp_path):
    path = forged(tmp_path / "f.zip", {"plan.json": b"{}"})
    whole = path.read_bytes()
    end = bytearray(whole[-22:])
    end[12:16] = (2**31).to_bytes(4, "little")
    path.write_bytes(whole[:-22] + end)
    assert "has more than 60,000 files" in refused(path, tmp_path / "to")
    path.write_bytes(whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:])
    assert "has more than 60,000 files" in refused(path, tmp_path / "to")
    path.write_bytes(whole[:-2] + b"\x05\x00" + b"hello")
    assert "without a comment" in refused(path, tmp_path / "to")


@pytest.mark.parametrize(
    ("name", "content", "entry"),
    [
        ("../../../tmp/evil", b"x", None),
        ("trials/a/b/model.pkl", b"\x80\x04\x95", None),
        ("trials/a/b/record.json", b"/etc/passwd", stat.S_IFLNK | 0o777),
        ("trials/a/b/record.json", b"0" * 2**24, None),
        ("trials/a/b/record.json", b"\x80\x04\x95pickle", None),
    ],
)
@pytest.mark.parametrize("command", ["compare", "gate"])
def test_the_commands_refuse_it_in_a_line_and_leave_nothing(command, name, content, entry, run, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = forged(tmp_path / "f.zip", {name: content}, entry=entry)
    before = sorted(tmp_path.rglob("*"))
    call_refused(*(("compare", run, path) if command == "compare" else ("gate", run, "--baseline", path)))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_line_of_a_gigabyte_is_never_held(run, tmp_path):
    record = record_paths(run)[0]
    predictions = record.with_name("predictions.jsonl.gz")
    piece = zlib.compressobj(9, zlib.DEFLATED, 31)
    with predictions.open("wb") as stream:
        stream.write(piece.compress(b'{"id": "'))
        for _ in range(64):
            stream.write(piece.compress(b"x" * 2**24))
        stream.write(piece.flush())
    assert predictions.stat().st_size < 2 * 2**20
    tracemalloc.start()
    found = read_predictions(predictions)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == "the predictions are larger than any test split's"
    assert peak < 32 * 2**20
    with record.open("r+b") as stream:
        stream.truncate(2**30)
    with pytest.raises(RunError, match="is larger than 16 MiB"):
        read_record_set(run)


@pytest.mark.parametrize("change", [{"id": "../../x"}, {"environment": "../.."}, {"cell": ""}])
def test_the_name_in_a_record_cannot_lead_out_of_its_run(change, run):
    rewrite(run, lambda record: record.update(change))
    with pytest.raises(RunError, match=r"not a record: (id|environment|cell)"):
        read_record_set(run)


def test_what_is_no_regular_file_is_not_waited_for(run, tmp_path):
    path = record_paths(run)[0]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match="is not a file"):
        read_record_set(run)
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(RunError, match=r"no such run directory or bundle|is not a file"):
        read_record_set(tmp_path / "pipe.zip")
    assert "is not a file" in refused(tmp_path / "pipe.zip", tmp_path / "to")
