"""Files of a user's folders that are not read: each is counted, and named."""

import os

import numpy as np
import pytest
from ftbench.data.unread_files import unread_flaws

FOREIGN = ("m4a", "aac", "wma", "amr", "heic", "svg", "webm", "cr2", "unheardof")


@pytest.fixture
def sounds(tmp_path):
    import soundfile

    for number in range(8):
        path = tmp_path / "d" / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(160), 16_000)
    return tmp_path / "d"


def flaws(catalog, data, task="audio-classification", **options):
    found = unread_flaws(catalog.build("tasks", task, {"data": str(data), **options}))
    return {one.kind: (one.severity, one.count, one.examples, one.advice) for one in found}


def test_files_of_other_types_links_documents_and_hidden_files_are_counted_and_named(catalog, sounds):
    assert flaws(catalog, sounds) == {}
    for suffix in FOREIGN:
        (sounds / "a" / f"x.{suffix}").write_bytes(b"")
    (sounds / "README.md").write_text("")
    (sounds / ".DS_Store").write_text("")
    (sounds / "b" / ".9.wav").write_bytes(b"")
    (sounds / "b" / "loop").symlink_to(".")
    (sounds / "b" / "gone.wav").symlink_to("nowhere")
    os.mkfifo(sounds / "b" / "pipe.wav")
    found = flaws(catalog, sounds)
    assert found["file not read"] == (
        "warning",
        len(FOREIGN),
        ("a/x.aac", "a/x.amr", "a/x.cr2"),
        "convert .aac, .amr, .cr2 to one of .wav, .flac, .ogg, or remove them",
    )
    assert found["link not followed"][1:3] == (3, ("b/gone.wav", "b/loop", "b/pipe.wav"))
    assert found["document not read"][:3] == ("note", 1, ("README.md",))
    assert found["hidden file not read"][:3] == ("note", 2, (".DS_Store", "b/.9.wav"))
    task = catalog.build("tasks", "audio-classification", {"data": str(sounds)})
    assert len(task.tables["data"]) == 8


def test_what_is_next_to_the_splits_and_is_no_split_is_named(catalog, tmp_path):
    for name in ("train.csv", "test.csv", "unsupervised.csv", "train2.parquet"):
        (tmp_path / name).write_text("text,label\na,x\nb,y\n")
    assert flaws(catalog, tmp_path, "text-classification")["document not read"][1:3] == (1, ("unsupervised.csv",))
    assert flaws(catalog, tmp_path, "text-classification")["file not read"][1:3] == (1, ("train2.parquet",))
    assert flaws(catalog, tmp_path / "train.csv", "text-classification") == {}


def test_the_data_check_names_them_each_time(catalog, sounds):
    from ftbench.data.checks import check_data

    task = catalog.build("tasks", "audio-classification", {"data": str(sounds)})
    backbone = catalog.build("backbones", "tiny-wav2vec2", {})
    before = {flaw.kind for flaw in check_data(task, backbone, 0, {})}
    (sounds / "a" / "late.opus2").write_bytes(b"")
    assert {flaw.kind for flaw in check_data(task, backbone, 0, {})} - before == {"file not read"}
