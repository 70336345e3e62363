"""The suites that name models and data of the hub: valid anywhere, and run here on stand-ins of the same layout and size of a toy."""

import io
import re

import datasets
import numpy as np
import pytest
import soundfile
import yaml

from tests.conftest import QUICK, ROOT
from tests.support.hub_server import put_in_cache
from tests.support.small_data import WORDS
from tests.support.tiny_models import save

SUITES = ROOT / "suites"
ROWS = {"train": 24, "validation": 8, "test": 8}


def text_rows(column, labels, rows, rng):
    features = datasets.Features({column: datasets.Value("string"), "label": datasets.ClassLabel(names=labels)})
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(rows)]
    return datasets.Dataset.from_dict({column: texts, "label": [n % 2 for n in range(rows)]}, features=features)


def imdb(folder, rng):
    for split, rows in (("train", 24), ("test", 8), ("unsupervised", 4)):
        data = text_rows("text", ["neg", "pos"], rows, rng)
        if split == "unsupervised":
            data = data.map(lambda _: {"label": -1})
        yield folder / f"plain_text/{split}-00000-of-00001.parquet", data


def sst2(folder, rng):
    for split, rows in ROWS.items():
        data = text_rows("sentence", ["negative", "positive"], rows, rng)
        if split == "test":
            data = data.map(lambda _: {"label": -1})
        yield folder / f"sst2/{split}-00000-of-00001.parquet", data


def cifar10(folder, rng):
    from PIL import Image

    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=list("abcdefghij"))})
    for split, rows in (("train", 40), ("test", 20)):
        pictures = []
        for _ in range(rows):
            with io.BytesIO() as stream:
                Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(stream, "png")
                pictures.append({"bytes": stream.getvalue(), "path": None})
        data = datasets.Dataset.from_dict({"img": pictures, "label": [n % 10 for n in range(rows)]}, features=features)
        yield folder / f"plain_text/{split}-00000-of-00001.parquet", data


def conll2003(folder, rng):
    names = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
    tags = datasets.List(datasets.ClassLabel(names=names))
    features = datasets.Features(
        {"id": datasets.Value("string"), "tokens": datasets.List(datasets.Value("string")), "ner_tags": tags}
    )
    for split, rows in ROWS.items():
        words = [rng.choice(WORDS, 6).tolist() for _ in range(rows)]
        known = [
            [(WORDS.index(word) % 3) and 2 * (WORDS.index(word) % 3) - 1 for word in sentence] for sentence in words
        ]
        data = datasets.Dataset.from_dict(
            {"id": list(map(str, range(rows))), "tokens": words, "ner_tags": known}, features=features
        )
        yield folder / f"conll2003/{split}/0000.parquet", data


def commonvoice(folder, rng):
    for split, rows in ROWS.items():
        sounds, sentences = [], []
        for row in range(rows):
            with io.BytesIO() as stream:
                soundfile.write(
                    stream, rng.normal(0, 0.1, 24_000 + 1_000 * row).astype(np.float32), 48_000, format="MP3"
                )
                sounds.append({"bytes": stream.getvalue(), "path": f"{row}.mp3"})
            sentences.append(f"{' '.join(rng.choice(['güneş', 'Kedi', 'iyi'], 2))}.")
        data = datasets.Dataset.from_dict({"client_id": ["a"] * rows, "audio": sounds, "sentence": sentences})
        # Encoding sounds through `datasets` would need torchcodec; bytes are cast to its audio as they are.
        data = data.cast_column("audio", datasets.Audio(decode=False))
        yield folder / f"tr/{split}-00000-of-00001.parquet", data


DATA = {"imdb": imdb, "sst2": sst2, "cifar10": cifar10, "conll2003": conll2003, "commonvoice": commonvoice}
KINDS = {"imdb": "distilbert", "sst2": "roberta", "cifar10": "vit", "conll2003": "bert", "commonvoice": "wav2vec2"}


def stand_in(name, folder, cache):
    """Put a toy of the suite's model and data where the hub's client keeps what it downloaded."""
    text = (SUITES / f"{name}.toml").read_text()
    (folder / "model").mkdir()
    put_in_cache(
        cache, "model", re.search(r'^path = "(.+?)"', text, re.MULTILINE)[1], save(KINDS[name], folder / "model")
    )
    found = list(DATA[name](folder / "data", np.random.default_rng(0)))
    for path, data in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.to_parquet(path)
    if "refs/convert" not in text:
        config = found[0][0].parent.name
        files = [
            {"split": path.name.partition("-")[0], "path": f"{config}/{path.name.partition('-')[0]}-*"}
            for path, _ in found
        ]
        head = {"configs": [{"config_name": config, "data_files": files}], "license": "other"}
        (folder / "data/README.md").write_text(f"---\n{yaml.safe_dump(head)}---\n# A stand-in\n")
    ref = re.search(r'^revision = "(.+?)"', text, re.MULTILINE)
    put_in_cache(
        cache, "dataset", re.search(r'"hub:(.+?)"', text)[1], folder / "data", refs=(ref[1] if ref else "main",)
    )
    return text


@pytest.mark.parametrize("name", DATA)
def test_it_is_valid_where_nothing_was_downloaded(name, hub_cache, ftbench):
    done = ftbench("validate", SUITES / f"{name}.toml", check=0)
    assert "is not in the hub cache; `ftbench run` downloads and checks it" in done.stdout + done.stderr


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.thorough) for name in DATA])
def test_it_runs_on_a_stand_in(name, tmp_path, hub_cache, ftbench):
    text = stand_in(name, tmp_path, hub_cache)
    # Two steps and one seed are enough to see that everything fits together.
    text = re.sub(
        r"^epochs = .*",
        "steps = 8",
        re.sub(r"^seeds = .*", "seeds = [0]\nprofile = 'smoke'", text, flags=re.MULTILINE),
        flags=re.MULTILINE,
    )
    text = re.sub(r"^batch_size = .*", "batch_size = 8", text, flags=re.MULTILINE)
    (tmp_path / "s.toml").write_text(f"{text}\n[machine]\nthreads = 1\n[measure]\n{QUICK}\n")
    done = ftbench("run", "s.toml", check=0)
    expected = text.count("[[strategy]]")
    assert f"{expected} trials: {expected} ok" in done.stdout + done.stderr
