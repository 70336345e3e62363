"""A user's own data: location, splits, labels, and one-line errors."""

import csv
import json

import numpy as np
import pytest
from ftbench import NotApplicable, UserError  # noqa: F401 - the second is what is raised


@pytest.fixture
def table(tmp_path):
    """Write a CSV file."""

    def write(rows, name="my.csv", columns=("text", "label", "who")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows(rows)
        return path

    return write


def many(count=60):
    return [(f"text number {n}", ("no", "yes", "maybe")[n % 3], f"p{n // 6}") for n in range(count)]


def task(catalog, path, **options):
    return catalog.build("tasks", "text-classification", {"data": str(path), **options})


def ids(splits):
    return {name: [e.value for e in splits[name]] for name in ("train", "validation", "test")}


def test_one_file_is_divided_and_the_division_is_the_seeds(catalog, table):
    path = table(many())
    one, again, other = (task(catalog, path).splits(seed) for seed in (0, 0, 1))
    assert [len(one[name]) for name in ("train", "validation", "test")] == [42, 9, 9]
    assert ids(one) == ids(again) != ids(other)
    assert one.hash() == again.hash() != other.hash()
    assert task(catalog, path).classes == ("maybe", "no", "yes")
    assert np.bincount([e.label for e in one.test]).tolist() == [3, 3, 3]


def test_groups_stay_together(catalog, table):
    path = table(many())
    splits = task(catalog, path, group="who").splits(0)
    people = {name: {e.value[1] // 6 for e in splits[name]} for name in ("train", "validation", "test")}
    assert not people["train"] & people["test"]
    assert not people["train"] & people["validation"]


def test_what_belongs_together_is_told_without_its_name(catalog, table):
    path = table([*many(), ("nobody's text", "no", "")])
    names = [f"data-{row}" for row in (0, 5, 6, 60)]
    assert task(catalog, path, group="who").groups(names) == [0, 0, 1, None]
    assert task(catalog, path).groups(names) is None


def test_given_splits_are_taken_and_validation_is_cut_from_training(catalog, table, tmp_path):
    table(many(30), "given/train.csv")
    table(many(12), "given/test.csv")
    splits = task(catalog, tmp_path / "given").splits(0)
    assert {e.value[0] for e in splits.train} == {e.value[0] for e in splits.validation} == {"train"}
    assert {e.value[0] for e in splits.test} == {"test"}
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [24, 6, 12]
    table(many(9), "given/dev.csv")
    splits = task(catalog, tmp_path / "given").splits(0)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [30, 9, 12]
    assert {e.value[0] for e in splits.validation} == {"validation"}


def test_numbers_are_sorted_as_numbers_and_given_labels_keep_their_order(catalog, table):
    path = table([(f"t{n}", str(n % 12), "") for n in range(48)])
    assert task(catalog, path).classes == tuple(map(str, range(12)))
    named = task(catalog, table(many()), labels=("yes", "no", "maybe"))
    assert named.classes == ("yes", "no", "maybe")
    assert {e.label for e in named.splits(0).train} == {0, 1, 2}


def test_a_row_without_a_label_is_left_out(catalog, table):
    path = table([*many(), ("no answer", "", "p0")])
    splits = task(catalog, path).splits(0)
    assert sum(len(splits[name]) for name in ("train", "validation", "test")) == 60


def test_pairs_are_read_together_with_their_token_types(catalog, table, model_folder):
    path = table([("one", "yes", "two words"), ("three", "no", "four")] * 10, columns=("text", "label", "second"))
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load(2).processor
    made = task(catalog, path, pair="second")
    encoded = made.encode(made.splits(0).train[:2], processor)
    ids = encoded.columns["input_ids"].take([0])[0][0].tolist()
    assert ids.count(processor.sep_token_id) == 2
    assert encoded.units[0] == len(ids)


def test_long_texts_are_cut_and_special_tokens_stay(catalog, table, model_folder):
    path = table([("word " * 50, "yes", ""), ("word", "no", "")] * 10)
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load(2).processor
    made = task(catalog, path, max_length=8)
    encoded = made.encode(made.splits(0).train, processor)
    assert max(encoded.units) == 8
    long = int(np.argmax(encoded.units))
    assert encoded.columns["input_ids"].take([long])[0][0][-1] == processor.sep_token_id


def test_what_is_wrong_is_one_line_each(catalog, table, tmp_path):
    path = table(many())
    for options, message in (
        ({"text": "words"}, "has no column 'words'; its columns: text, label, who"),
        ({"target": "class", "group": "speaker"}, "has no column 'class'"),
        ({"ratios": [0.9, 0.1, 0.0]}, "ratios: training and test need a share above 0"),
        ({"ratios": [0.9, 0.1]}, "needs at least 3 items"),
        ({"folds": 5, "fold": 5}, "there is no fold 5 of 5; there are at least 2 folds, numbered from 0"),
        ({"labels": ["yes", "no"]}, "labels: the data contain 'maybe' in "),
        ({"shots": 50}, "shots: class 0 has 14 training examples, fewer than 50"),
    ):
        with pytest.raises(UserError, match=message):
            made = task(catalog, path, **options)
            made.fingerprint()
            made.splits(0)
    with pytest.raises(UserError, match=r"data: .*nowhere\.csv: no such file or folder"):
        task(catalog, tmp_path / "nowhere.csv").fingerprint()
    with pytest.raises(UserError, match="holds 1 classes; at least two are needed"):
        _ = task(catalog, table([("a", "x", "")] * 20, "one.csv")).classes
    table(many(), "half/train.csv")
    with pytest.raises(UserError, match="half: has train but no test"):
        task(catalog, tmp_path / "half").fingerprint()


def test_a_fingerprint_is_of_the_content_and_a_plan_needs_no_reader(catalog, table, ftbench, tmp_path):
    first = task(catalog, table(many())).fingerprint()
    assert task(catalog, table(many(), "copy.csv")).fingerprint() == first
    assert task(catalog, table(many(61), "more.csv")).fingerprint() != first
    suite = tmp_path / "s.toml"
    suite.write_text(
        f'name = "s"\n[training]\nepochs = 1\n[[backbone]]\nuse = "minilm"\n[[task]]\nuse = "text-classification"\n'
        f'data = "{tmp_path / "my.csv"}"\n[[strategy]]\nuse = "full"\n'
    )
    import subprocess
    import sys

    code = f"import sys; from ftbench.cli import main; sys.argv = ['ftbench', 'plan', '{suite}']\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'datasets', 'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_folders_of_images_and_sounds_are_classes(catalog, tmp_path, model_folder):
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(24):
        for kind, suffix in (("images", "png"), ("sounds", "wav")):
            (tmp_path / kind / f"c{number % 2}").mkdir(parents=True, exist_ok=True)
            path = tmp_path / kind / f"c{number % 2}" / f"{number}.{suffix}"
            if suffix == "png":
                Image.fromarray(rng.integers(0, 255, (9, 7, 3), dtype=np.uint8)).save(path)
            else:
                soundfile.write(path, rng.normal(0, 0.1, 4000).astype(np.float32), 8000)
    images = catalog.build("tasks", "image-classification", {"data": str(tmp_path / "images")})
    assert images.classes == ("c0", "c1")
    vit = catalog.build("backbones", "transformers", {"path": str(model_folder("vit"))}).load(2).processor
    assert images.encode(images.splits(0).train, vit).columns["pixel_values"].shape == (16, 3, 32, 32)
    sounds = catalog.build("tasks", "audio-classification", {"data": str(tmp_path / "sounds"), "seconds": 0.75})
    extractor = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))}).load(2).processor
    encoded = sounds.encode(sounds.splits(0).train, extractor)
    assert encoded.columns["input_values"].shape == (16, 12_000)
    assert encoded.units[0] == pytest.approx(0.5)
    assert not encoded.columns["input_values"][0, 8100:].std()


def test_a_broken_image_or_sound_is_named(catalog, tmp_path, model_folder):
    for kind, name, use, message in (
        ("wav2vec2", "x.wav", "audio-classification", "x.wav: cannot be read as a sound"),
        ("vit", "x.png", "image-classification", "x.png: cannot be read as an image"),
    ):
        for label in ("a", "b"):
            (tmp_path / kind / label).mkdir(parents=True)
            for copy in range(4):
                (tmp_path / kind / label / f"{copy}{name}").write_bytes(b"not what it says")
        made = catalog.build("tasks", use, {"data": str(tmp_path / kind)})
        processor = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).load(2).processor
        with pytest.raises(UserError, match=message):
            made.encode(made.splits(0).train, processor)


def test_a_resampled_tone_keeps_its_pitch():
    from ftbench_plugins.speech.sounds import resampled

    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype(np.float32)
    wide = resampled(tone, 8000, 16_000)
    assert len(wide) == 16_000
    assert np.argmax(np.abs(np.fft.rfft(wide))) == 440


def test_data_saved_by_datasets_keeps_the_names_of_its_classes(catalog, tmp_path):
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_list([{"text": f"t{n}", "label": n % 2} for n in range(40)], features=features)
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "saved")
    made = task(catalog, tmp_path / "saved")
    assert made.classes == ("neg", "pos")
    assert len(made.splits(0).test) == 40
    assert json.dumps(made.fingerprint())


def test_paths_start_at_the_folder_of_their_own_table(catalog, tmp_path):
    """Each split has a file of the same name; the content shows which one is read."""
    from PIL import Image

    for number, split in enumerate(("train", "test")):
        (tmp_path / split / "pics").mkdir(parents=True)
        Image.new("L", (4, 4), number).save(tmp_path / split / "pics" / "0.png")
        (tmp_path / split / "metadata.csv").write_text("path,label\npics/0.png,a\n")
    Image.new("L", (4, 4), 9).save(tmp_path / "9.png")
    (tmp_path / "test" / "metadata.csv").write_text("path,label\n0.png,a\n9.png,b\n")
    data = {split: str(tmp_path / split / "metadata.csv") for split in ("train", "test")}
    task = catalog.build("tasks", "image-classification", {"data": data, "labels": ["a", "b"]})
    grey = type("Grey", (), {"image_mean": (0,)})

    def shade(task, name):
        return task.raw_inputs(task.named([name]), grey)[0].getpixel((0, 0))

    assert [shade(task, name) for name in ("train-0", "test-1")] == [0, 9]
    with pytest.raises(UserError, match=r"0\.png: cannot be read as an image"):
        shade(task, "test-0")
    inside = catalog.build("tasks", "image-classification", {"data": data, "folder": "pics", "labels": ["a", "b"]})
    assert shade(inside, "test-0") == 1


def test_a_table_without_names_is_read_with_those_given(catalog, tmp_path):
    (tmp_path / "bare.csv").write_text("".join(f"{'ab'[n % 2]},text {n}\n" for n in range(20)))
    with pytest.raises(
        UserError, match=r"has no column 'label'; .*if the first line is a row already, name the columns"
    ):
        task(catalog, tmp_path / "bare.csv").fingerprint()
    named = task(catalog, tmp_path / "bare.csv", columns=["label", "text"])
    assert (len(named.tables["data"]), named.classes) == (20, ("a", "b"))
    semicolons = tmp_path / "rows.data"
    semicolons.write_text("text;label\n" + "".join(f"a, b {n};{'ab'[n % 2]}\n" for n in range(20)))
    assert len(task(catalog, semicolons, delimiter=";").tables["data"]) == 20
    with pytest.raises(UserError, match="delimiter: must be one character, not '::'"):
        task(catalog, semicolons, delimiter="::")
