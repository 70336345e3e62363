"""Data checks: planted flaws are found, named and counted; clean data give none."""

import csv
from pathlib import Path

import numpy as np
import pytest
from ftbench.data.checks import check_data

from tests.conftest import ROOT

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omikron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "ypsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]


def sentence(number):
    rng = np.random.default_rng(number)
    return " ".join(rng.choice(WORDS, 8))


def sound_rows(count=80):
    return [(sentence(n), ("no", "yes")[n % 2]) for n in range(count)]


@pytest.fixture
def look(catalog, tmp_path, model_folder):
    """Check a table, or a table for each split."""
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))})

    def check(rows, **options):
        tables = rows if isinstance(rows, dict) else {"data": rows}
        for name, content in tables.items():
            path = tmp_path / "given" / f"{name}.csv" if name != "data" else tmp_path / "data.csv"
            path.parent.mkdir(exist_ok=True)
            with path.open("w", newline="") as stream:
                csv.writer(stream).writerows([("text", "label"), *content])
        place = tmp_path / ("data.csv" if "data" in tables else "given")
        task = catalog.build("tasks", "text-classification", {"data": str(place), **options})
        return {flaw.kind: flaw for flaw in check_data(task, backbone, 0, catalog.options(task))}

    return check


def test_sound_data_are_left_in_peace(look):
    assert look(sound_rows()) == {}


def test_missing_labels_are_counted_with_their_rows(look):
    flaw = look([*sound_rows(), (sentence(900), ""), (sentence(901), " ")])["label missing"]
    assert (flaw.severity, flaw.count, flaw.examples) == ("warning", 2, ("data.csv line 82", "data.csv line 83"))


def test_empty_inputs_are_counted(look):
    flaw = look([*sound_rows(), ("", "yes"), ("  ", "no"), ("", "no")])["input empty"]
    assert (flaw.severity, flaw.count) == ("warning", 3)
    assert set(flaw.examples) == {"data.csv line 82", "data.csv line 83", "data.csv line 84"}


def test_labels_spelled_in_several_ways_are_errors(look):
    rows = [(sentence(n), ("no", "yes", "Yes", "y", "N O")[n % 5]) for n in range(100)]
    flaw = look(rows)["label spelled in several ways"]
    assert (flaw.severity, flaw.count) == ("error", 3)
    assert set(flaw.examples) == {"'yes'", "'Yes'", "'y'"}


def test_a_class_in_the_test_split_alone_cannot_be_learnt(look):
    found = look(
        {"train": sound_rows(), "test": [*[(sentence(500 + n), "yes") for n in range(9)], (sentence(990), "new")]}
    )
    assert (found["class in the test split only"].count, found["class in the test split only"].examples) == (
        1,
        ("'new'",),
    )
    assert (found["class not in the test split"].count, found["class not in the test split"].examples) == (1, ("'no'",))


def test_leaks_between_splits_are_counted_the_exact_and_the_nearly_exact(look):
    train, test = sound_rows(), [(sentence(500 + n), ("no", "yes")[n % 2]) for n in range(20)]
    test[3], test[4] = train[7], train[8]
    test[5] = (train[9][0].upper() + " !! https://t.co/x", train[9][1])
    found = look({"train": train, "validation": [(sentence(700), "no"), (sentence(701), "yes")], "test": test})
    exact, near = found["same input in two splits"], found["nearly the same input in two splits"]
    assert (exact.severity, exact.count) == ("error", 2)
    assert all("(train)" in example and "(test)" in example for example in exact.examples)
    assert (near.severity, near.count) == ("warning", 1)
    assert found["same input more than once"].count == 2


def test_repeated_rows_and_rows_that_contradict_each_other_are_told_apart(look):
    train = [*sound_rows(), *sound_rows()[:4], (sound_rows()[10][0], "yes"), (sound_rows()[12][0], "yes")]
    found = look(
        {"train": train, "validation": [(sentence(700), "no")], "test": [(sentence(701), "yes"), (sentence(702), "no")]}
    )
    assert found["same input more than once"].count == 6
    assert found["same input with different labels"].count == 2
    assert "same input in two splits" not in found


def test_a_rare_class_is_a_warning_about_accuracy(look):
    rows = [(sentence(n), "rare" if n % 40 == 0 else "usual") for n in range(400)]
    flaw = look(rows)["classes of very different size"]
    assert flaw.severity == "warning"
    assert flaw.examples[0].startswith("'usual' ")
    assert flaw.examples[1].startswith("'rare' ")


def test_another_metric_than_accuracy_makes_it_a_note(ftbench, tmp_path):
    rows = [(sentence(n), "rare" if n % 40 == 0 else "usual") for n in range(400)]
    with (tmp_path / "data.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    text = 'name = "s"\nseeds = [0]\n[training]\nepochs = 1\n[[backbone]]\nuse = "minilm"\n[[strategy]]\nuse = "full"\n'
    text += '[[task]]\nuse = "text-classification"\ndata = "data.csv"\n'
    told = []
    for metric in ("accuracy", "recall[rare]"):
        (tmp_path / "s.toml").write_text(f'{text}metric = "{metric}"\n')
        told.append(ftbench("data", "check", "s.toml", "--strict"))
    assert 'decide by macro F1 rather than accuracy: metric = "macro_f1" in [[task]]' in told[0].stdout
    assert "the deciding metric is recall[rare]" in told[1].stdout
    assert [done.returncode for done in told] == [2, 0]


def test_inputs_that_are_cut_off_are_counted_as_the_backbone_reads_them(look):
    rows = [*sound_rows(), *[(" ".join([sentence(n)] * 9), "yes") for n in range(600, 610)]]
    assert look(rows, max_length=128)["inputs are cut off"].count == 10
    # The network has no positions for more, whatever the suite says.
    assert look(rows, max_length=1000)["inputs are cut off"].count == 10
    assert "inputs are cut off" not in look(sound_rows(), max_length=1000)


def test_what_was_found_is_remembered_until_the_data_change(look, monkeypatch):
    rows = [*sound_rows(), ("", "yes")]
    first = look(rows)
    monkeypatch.setattr("ftbench.data.checks.label_flaws", lambda *_: pytest.fail("looked again"))
    assert look(rows) == first
    with pytest.raises(pytest.fail.Exception):
        look(sound_rows(82))


@pytest.fixture
def pictures(tmp_path):
    """Create forty images in two classes; the result adds another."""
    from PIL import Image

    rng = np.random.default_rng(0)

    def add(name, pixels):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    for n in range(40):
        add(f"{'ab'[n % 2]}/{n}.png", rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    return add


def looked(catalog, backbone, use, folder, **options):
    task = catalog.build("tasks", use, {"data": str(folder), **options})
    found = check_data(
        task, catalog.build("backbones", "transformers", {"path": str(backbone)}), 0, catalog.options(task)
    )
    return {flaw.kind: flaw for flaw in found}


def test_pictures_that_cannot_be_read_or_show_nothing_are_named(catalog, pictures, tmp_path, model_folder):
    rng = np.random.default_rng(1)
    whole = pictures("a/whole.png", rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    (tmp_path / "pictures" / "b" / "torn.png").write_bytes(whole.read_bytes()[:60])
    pictures("a/black.png", np.zeros((16, 16, 3), np.uint8))
    grey = rng.integers(0, 255, (16, 16), dtype=np.uint8)
    pictures("b/grey.png", np.stack([grey] * 3, -1))
    pictures("b/copy.png", np.asarray(rng.integers(0, 255, (16, 16, 3)), np.uint8))
    (tmp_path / "pictures" / "a" / "copy.png").write_bytes((tmp_path / "pictures" / "b" / "copy.png").read_bytes())
    found = looked(catalog, model_folder("vit"), "image-classification", tmp_path / "pictures")
    assert {kind: (flaw.severity, flaw.count) for kind, flaw in found.items() if "two splits" not in kind} == {
        "image unreadable": ("error", 1),
        "image of one colour": ("warning", 1),
        "grey image among colours": ("note", 1),
        "same input with different labels": ("warning", 1),
        "same input more than once": ("note", 1),
    }


def test_a_picture_saved_again_is_nearly_the_same(catalog, pictures, tmp_path, model_folder):
    from PIL import Image

    ramp = np.add.outer(np.arange(64), 2 * np.arange(64)).astype(np.uint8)
    for split in ("train", "test"):
        for n in range(12):
            rng = np.random.default_rng([n, split == "test"])
            path = tmp_path / "given" / split / "ab"[n % 2] / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    image = Image.fromarray(np.stack([ramp, ramp.T, ramp], -1))
    image.save(tmp_path / "given" / "train" / "a" / "x.png")
    image.resize((48, 48)).save(tmp_path / "given" / "test" / "a" / "x.jpg", quality=92)
    found = looked(catalog, model_folder("vit"), "image-classification", tmp_path / "given")
    assert set(found) == {"nearly the same input in two splits"}


def test_sounds_that_cannot_be_heard_or_are_clipped_are_named(catalog, tmp_path, model_folder):
    import soundfile

    rng = np.random.default_rng(0)
    time = np.arange(8000) / 8000
    for n in range(40):
        path = tmp_path / "sounds" / "ab"[n % 2] / f"{n}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 37 * n) * time) + rng.normal(0, 0.02, 8000), 8000)
    folder = tmp_path / "sounds" / "a"
    soundfile.write(folder / "silent.wav", np.zeros(8000), 8000)
    soundfile.write(folder / "clipped.wav", np.clip(3 * np.sin(2 * np.pi * 300 * time), -1, 1), 8000)
    (folder / "torn.wav").write_bytes(b"RIFF no sound at all")
    known, _ = soundfile.read(folder / "0.wav")
    soundfile.write(
        tmp_path / "sounds" / "b" / "again.wav", np.concatenate([np.zeros(700), known * 0.5]), 8000, subtype="FLOAT"
    )
    found = looked(catalog, model_folder("wav2vec2"), "audio-classification", tmp_path / "sounds", seconds=2.0)
    assert {kind: (flaw.severity, flaw.count) for kind, flaw in found.items() if "two splits" not in kind} == {
        "sound unreadable": ("error", 1),
        "sound silent": ("warning", 1),
        "sound clipped": ("warning", 1),
    }
    short = looked(catalog, model_folder("wav2vec2"), "audio-classification", tmp_path / "sounds", seconds=0.5)
    assert short["inputs are cut off"].count > 35


SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no data under {SHARED.name}: the real data sets are not here")
def test_what_is_wrong_with_real_data_is_told(catalog):
    minilm = catalog.build("backbones", "minilm", {})
    task = catalog.build("tasks", "text-classification", {"data": str(SHARED / "tweet-emotion"), "max_length": 48})
    found = {flaw.kind: flaw.count for flaw in check_data(task, minilm, 0, catalog.options(task))}
    assert found == {
        "nearly the same input in two splits": 2,
        "same input more than once": 25,
        "document not read": 1,
    }
    assert Path(task.data).is_dir()
