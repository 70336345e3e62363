"""Hub data sets: files of each split, missing labels, embedded sounds and images, downloads by configuration."""

import io
import json

import numpy as np
import pytest
from ftbench import NotCached, UserError
from ftbench.data.hub_datasets import missing_part, read_card, split_files

from tests.support.hub_server import put_in_cache

GLUE = {
    "configs": [
        {"config_name": "ax", "data_files": [{"split": "test", "path": "ax/test-*"}]},
        {
            "config_name": "sst2",
            "data_files": [
                {"split": "train", "path": "sst2/train-*"},
                {"split": "validation", "path": "sst2/validation-*"},
                {"split": "test", "path": "sst2/test-*"},
            ],
        },
    ]
}
SST2 = [f"sst2/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")]


def test_the_card_says_which_files_are_which_split_of_a_configuration():
    names = ["README.md", "ax/test-00000-of-00001.parquet", *SST2, "x.py"]
    assert split_files(GLUE, names, "sst2") == {"train": SST2[:1], "validation": SST2[1:2], "test": SST2[2:]}
    assert split_files(GLUE, names, "ax") == {"test": names[1:2]}
    with pytest.raises(UserError, match="config: is missing; the configurations are ax, sst2"):
        split_files(GLUE, names, "")
    with pytest.raises(UserError, match="there is no configuration 'sst'; did you mean 'sst2'"):
        split_files(GLUE, names, "sst")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("data/*.csv", {"train": ["data/a.csv", "data/test.csv"]}),
        (["data/a.csv"], {"train": ["data/a.csv"]}),
        ([{"split": "train", "path": ["data/a.csv", "b.jsonl"]}], {"train": ["b.jsonl", "data/a.csv"]}),
        ([{"split": "train", "path": "**/a.csv"}, {"split": "extra", "path": "none*"}], {"train": ["data/a.csv"]}),
    ],
)
def test_every_form_of_a_cards_data_files_is_read(files, expected):
    names = ["b.jsonl", "data/a.csv", "data/test.csv", "data/.hidden.csv"]
    for card in (
        {"configs": [{"config_name": "default", "data_files": files}]},
        {"configs": [{"config_name": "other", "data_files": files}]},
    ):
        assert split_files(card, names, "") == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], {"train", "test"}),
        (["train.csv", "dev.csv", "test.csv"], {"train", "validation", "test"}),
        (["en/valid/0.jsonl", "en/training/0.jsonl"], {"train", "validation"}),
        (["contest.csv"], {"train"}),
        (["model.bin", "x.py", "README.md"], set()),
    ],
)
def test_without_a_card_the_names_tell_the_split(names, expected):
    assert set(split_files({}, names, "")) == expected


def test_without_a_card_a_configuration_is_a_folder():
    names = ["sst2/train/0000.parquet", "sst2/test/0000.parquet", "mnli/train/0000.parquet"]
    assert split_files({}, names, "sst2") == {"train": names[:1], "test": names[1:2]}
    with pytest.raises(UserError, match="there is no configuration 'sst3'"):
        split_files({}, names, "sst3")


def test_a_part_that_is_missing_is_noticed():
    whole = [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    assert missing_part({"train": whole, "test": ["test.csv"]}) == ""
    assert missing_part({"train": whole[:2]}) == "some of the files of its split 'train'"
    assert missing_part({"train": whole, "test": []}) == "the files of its split 'test'"


def test_a_card_that_is_no_yaml_is_one_line(tmp_path):
    (tmp_path / "README.md").write_text("---\na: [\n---\n# x\n")
    with pytest.raises(UserError, match=r"README.md: its YAML header cannot be read"):
        read_card(tmp_path / "README.md")
    (tmp_path / "README.md").write_text("# No head\n")
    assert read_card(tmp_path / "README.md") == {}


@pytest.fixture
def sst2(tmp_path):
    """Create a repository like GLUE: class labels, -1 throughout the test split, two configurations."""
    import datasets

    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["negative", "positive"])}
    )
    folder = tmp_path / "glue"
    for split, size in (("train", 40), ("validation", 12), ("test", 8)):
        rows = [{"sentence": f"{split} sentence {n}", "label": -1 if split == "test" else n % 2} for n in range(size)]
        (folder / "sst2").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_list(rows, features=features).to_parquet(
            folder / "sst2" / f"{split}-00000-of-00001.parquet"
        )
    (folder / "ax").mkdir()
    (folder / "ax" / "test-00000-of-00001.parquet").write_bytes(b"never read")
    (folder / "README.md").write_text(
        f"---\nlicense: [cc-by-4.0, mit]\n{json.dumps(GLUE)[1:-1]}\n---\n# GLUE\n".replace('"configs"', "configs")
    )
    (folder / "glue.py").write_text("raise SystemExit('code was run')\n")
    return folder


def task(catalog, data="hub:acme/glue", use="text-classification", **options):
    return catalog.build("tasks", use, {"data": data, **options})


def test_labels_of_minus_one_are_no_labels_and_another_split_can_be_the_test(catalog, hub_cache, sst2):
    commit = put_in_cache(hub_cache, "dataset", "acme/glue", sst2)
    unlabelled = task(catalog, config="sst2", text="sentence")
    assert unlabelled.classes == ("negative", "positive")
    with pytest.raises(
        UserError, match=r'no row of its test split has a label; use another: split_names = \{ test = "validation" \}'
    ):
        unlabelled.splits(0)
    made = task(catalog, config="sst2", text="sentence", split_names={"test": "validation"})
    splits = made.splits(0)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [32, 8, 12]
    assert {made.cells([example])[0]["sentence"].split()[0] for example in splits.test} == {"validation"}
    assert made.fingerprint()["commit"] == commit
    assert (made.provenance().licence, made.provenance().source) == (
        "cc-by-4.0, mit",
        f"hub: acme/glue, configuration sst2, commit {commit[:12]}",
    )
    assert catalog.options(made)["revision"] == commit


def test_some_rows_without_a_label_are_left_out(catalog, hub_cache, tmp_path):
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = [{"text": f"t{n}", "label": (-1, 0, 1)[n % 3]} for n in range(60)]
    (tmp_path / "one").mkdir()
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "one" / "all.parquet")
    put_in_cache(hub_cache, "dataset", "acme/one", tmp_path / "one")
    splits = task(catalog, "hub:acme/one").splits(0)
    assert sorted(len(splits[name]) for name in ("train", "validation", "test")) == [6, 6, 28]


def test_the_names_of_classes_may_stand_in_the_card(catalog, hub_cache, tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps({"text": f"{split} {n}", "label": n % 2}) + "\n" for n in range(20))
        )
    info = "dataset_info:\n  features:\n  - name: text\n    dtype: string\n"
    info += "  - name: label\n    dtype:\n      class_label:\n        names:\n"
    (folder / "README.md").write_text(f"---\n{info}          '0': ham\n          '1': spam\n---\n")
    put_in_cache(hub_cache, "dataset", "acme/named", folder)
    assert task(catalog, "hub:acme/named").classes == ("ham", "spam")


def test_a_data_set_without_a_test_split_says_which_could_be_one(catalog, hub_cache, sst2):
    (sst2 / "sst2" / "test-00000-of-00001.parquet").unlink()
    (sst2 / "README.md").unlink()
    put_in_cache(hub_cache, "dataset", "acme/glue", sst2)
    with pytest.raises(
        UserError,
        match=r'has the splits train, validation, but none called test; .* split_names = \{ test = "validation" \}',
    ):
        task(catalog, config="sst2", text="sentence").fingerprint()
    with pytest.raises(UserError, match=r"split_names.test: hub:acme/glue has no split 'dev'"):
        task(catalog, config="sst2", text="sentence", split_names={"test": "dev"}).fingerprint()


def wav(number):
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.sin(np.arange(4000) * (0.05 + 0.001 * number)) * 0.3, 8000, format="WAV")
    return {"bytes": stream.getvalue(), "path": f"{number}.wav"}


def png(number):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


@pytest.mark.parametrize(
    ("use", "column", "kind", "cell"),
    [("audio-classification", "audio", "wav2vec2", wav), ("image-classification", "image", "vit", png)],
)
def test_sounds_and_images_inside_a_data_set_are_decoded_here(
    use, column, kind, cell, catalog, hub_cache, tmp_path, model_folder
):
    import datasets

    feature = datasets.Audio(decode=False) if column == "audio" else datasets.Image(decode=False)
    features = datasets.Features({column: feature, "label": datasets.ClassLabel(names=["a", "b"])})
    folder = tmp_path / "media" / "data"
    folder.mkdir(parents=True)
    rows = [{column: cell(n), "label": n % 2} for n in range(24)]
    # Cast, because making such a column would need the library's own encoder.
    datasets.Dataset.from_list(rows).cast(features).to_parquet(folder / "train-00000-of-00001.parquet")
    put_in_cache(hub_cache, "dataset", "acme/media", tmp_path / "media")
    made = task(catalog, "hub:acme/media", use, **{column: column})
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).load_processor()
    encoded = made.encode(made.splits(0).train, processor)
    (values,) = encoded.columns.values()
    assert len(values) == 16
    assert values.std() > 0.1


def test_a_repository_of_images_in_folders_is_a_folder(catalog, hub_cache, tmp_path, model_folder):
    for split in ("train", "test"):
        for n in range(8):
            path = tmp_path / "pictures" / split / "ab"[n % 2] / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(n)["bytes"])
    put_in_cache(hub_cache, "dataset", "acme/pictures", tmp_path / "pictures")
    made = task(catalog, "hub:acme/pictures", "image-classification")
    assert set(made.fingerprint()) == {"commit", "train", "test"}
    assert (made.classes, len(made.splits(0).test)) == (("a", "b"), 8)


def test_what_is_not_cached_or_not_whole_is_said(catalog, hub_cache, sst2):
    with pytest.raises(
        NotCached,
        match=r"'acme/glue' is not in the hub cache; set online = true to download it, or give a file or a folder",
    ):
        task(catalog, config="sst2").fingerprint()
    put_in_cache(hub_cache, "dataset", "acme/glue", sst2, leave_out=("sst2/train-00000-of-00001.parquet",))
    with pytest.raises(NotCached, match="only in part, without the files of its split 'train'"):
        task(catalog, config="sst2").fingerprint()
    with pytest.raises(UserError, match="applies only to Hub data sets"):
        task(catalog, "my.csv", config="sst2")
    with pytest.raises(UserError, match="'not an id' is no hub id"):
        task(catalog, "hub:not an id").fingerprint()


SUITE = """
name = "s"
seeds = [0]
profile = "smoke"
online = {online}
[training]
steps = 2
[machine]
threads = 1
[measure]
meters = ["parameters"]
[[backbone]]
use = "transformers"
path = "acme/tiny"
[[task]]
use = "text-classification"
data = "hub:acme/glue"
config = "{config}"
text = "sentence"
split_names = {{ test = "validation" }}
[[strategy]]
use = "full"
"""


def test_model_and_data_are_downloaded_and_trained_on_with_no_more_requests(
    ftbench, hub_server, sst2, model_folder, tmp_path
):
    import tomllib

    model = hub_server.put("model", "acme/tiny", model_folder("bert"))
    data = hub_server.put("dataset", "acme/glue", sst2)
    (tmp_path / "s.toml").write_text(SUITE.format(online="true", config="sst2"))
    assert ftbench("validate", "s.toml", check=0).stderr.count("note: ") == 2
    ftbench("run", "s.toml", check=0)
    assert {name for name in hub_server.downloaded() if "of-00001" in name or name.endswith(("md", "py"))} == {
        "README.md",
        *(name.rpartition("/")[2] for name in SST2),
    }
    assert not any("/ax/" in line or "glue.py" in line for line in hub_server.asked)
    assert [entry["commit"] for entry in tomllib.loads((tmp_path / "runs/s/suite.lock.toml").read_text())["hub"]] == [
        model,
        data,
    ]
    asked = len(hub_server.asked)
    (tmp_path / "s.toml").write_text(SUITE.format(online="false", config="sst2"))
    assert "nothing to do" in ftbench("run", "s.toml", check=0).stdout
    assert len(hub_server.asked) == asked
    (tmp_path / "s.toml").write_text(SUITE.format(online="true", config="sst3"))
    done = ftbench("run", "s.toml")
    assert (done.returncode, done.stderr) == (
        2,
        "error: s.toml: task[1]: config: there is no configuration 'sst3'; did you mean 'sst2'?\n",
    )


def test_a_data_set_of_code_alone_says_where_its_tables_may_be(ftbench, hub_server, model_folder, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "glue.py").write_text("raise SystemExit('code was run')\n")
    hub_server.put("model", "acme/tiny", model_folder("bert"))
    hub_server.put("dataset", "acme/glue", tmp_path / "code")
    (tmp_path / "s.toml").write_text(SUITE.format(online="true", config=""))
    done = ftbench("run", "s.toml")
    assert done.returncode == 2
    assert (
        'the Hub has Parquet copies of many data sets: revision = "refs/convert/parquet"'
        in done.stderr.splitlines()[-1]
    )
