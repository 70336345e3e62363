"""Manifests of sounds: every format, other rates than the model's, stereo, Common Voice's layout."""

import numpy as np
import pytest
import soundfile
from ftbench import UserError

from ftbench_plugins.speech.sounds import SUFFIXES

FORMATS = ("wav", "flac", "ogg", "mp3")
TONES = {"low": 300, "high": 700}
"""Class → its frequency in Hz."""


def tone(frequency, rate, seconds=1.0):
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


@pytest.fixture
def manifest(tmp_path):
    """Write sounds and a table of their paths."""

    def write(suffix="wav", rate=22_050, *, stereo=False, count=12, folder="clips", table="table.csv", name="path"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        lines = []
        for n in range(count):
            label = list(TONES)[n % 2]
            sound = tone(TONES[label], rate)
            path = tmp_path / folder / f"{n}.{suffix}"
            # The right channel is quieter: the mean of both still has the pitch.
            soundfile.write(path, np.stack([sound, 0.5 * sound], 1) if stereo else sound, rate)
            lines.append((f"{folder}/{path.name}", label))
        mark = "\t" if table.endswith(".tsv") else ","
        rows = [(name, "label"), *lines]
        (tmp_path / table).write_text("\n".join(mark.join(row) for row in rows) + "\n")
        return str(tmp_path / table)

    return write


def heard(catalog, model_folder, data, **options):
    """Return each training example's strongest frequency in Hz, by class."""
    task = catalog.build("tasks", "audio-classification", {"data": data, **options})
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))}).load_processor()
    encoded = task.encode(task.splits(0).train, processor)
    assert processor.sampling_rate == 16_000
    spectrum = np.abs(np.fft.rfft(encoded.columns["input_values"]))
    strongest = spectrum.argmax(1) * 16_000 / encoded.columns["input_values"].shape[1]
    assert encoded.units == pytest.approx(np.ones(len(encoded.units)), abs=0.1)
    return {task.classes[label]: set(strongest[encoded.labels == label].round(-1)) for label in (0, 1)}


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read_from_a_table_of_paths_at_another_rate_than_the_models(
    suffix, catalog, manifest, model_folder
):
    rate = 22_050 if suffix != "mp3" else 44_100
    assert heard(catalog, model_folder, manifest(suffix, rate)) == {"low": {300}, "high": {700}}


WRITTEN = {
    (".wav", ".wave", ".bwf"): ("WAV", "PCM_16"),
    (".flac",): ("FLAC", "PCM_16"),
    (".ogg", ".oga"): ("OGG", "VORBIS"),
    (".opus", ".spx"): ("OGG", "OPUS"),
    (".mp3", ".mp2", ".mpga"): ("MP3", "MPEG_LAYER_III"),
    (".rf64",): ("RF64", "PCM_16"),
    (".w64",): ("W64", "PCM_16"),
    (".aiff", ".aif", ".aifc"): ("AIFF", "PCM_16"),
    (".au", ".snd"): ("AU", "PCM_16"),
    (".caf",): ("CAF", "PCM_16"),
    (".sph", ".nist"): ("NIST", "PCM_16"),
    (".voc",): ("VOC", "PCM_16"),
}
"""Suffixes → format and coding of such files."""


def test_every_listed_format_is_read_from_a_folder(catalog, model_folder, tmp_path):
    suffixes = [suffix for group in WRITTEN for suffix in group]
    assert set(suffixes) == set(SUFFIXES)
    for group, (kind, coding) in WRITTEN.items():
        for suffix in group:
            for label, frequency in TONES.items():
                (tmp_path / label).mkdir(exist_ok=True)
                sound = tone(frequency, 16_000)
                soundfile.write(tmp_path / label / f"a{suffix}", sound, 16_000, format=kind, subtype=coding)
    found = heard(catalog, model_folder, str(tmp_path), ratios=(0.9, 0.0, 0.1))
    assert found == {"low": {300}, "high": {700}}
    table = catalog.build("tasks", "audio-classification", {"data": str(tmp_path)}).tables["data"]
    assert len(table) == 2 * len(suffixes)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 48_000])
def test_every_rate_is_resampled_to_the_models_and_both_channels_are_heard(rate, catalog, manifest, model_folder):
    assert heard(catalog, model_folder, manifest(rate=rate, stereo=True)) == {"low": {300}, "high": {700}}


@pytest.mark.parametrize("table", ["t.csv", "t.tsv", "t.jsonl"])
def test_every_kind_of_table_may_list_them(table, catalog, manifest, model_folder, tmp_path):
    import json

    path = manifest(table=table if not table.endswith("jsonl") else "t.csv", name="file")
    if table.endswith("jsonl"):
        lines = [line.split(",") for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
        path = str(tmp_path / table)
        (tmp_path / table).write_text(
            "".join(json.dumps({"file": name, "label": label}) + "\n" for name, label in lines)
        )
    assert heard(catalog, model_folder, path, audio="file") == {"low": {300}, "high": {700}}


@pytest.fixture
def common_voice(tmp_path):
    """Write a corpus like Common Voice: clips in one folder, tables of bare file names, cells that are never quoted."""
    folder = tmp_path / "cv-corpus" / "en"
    (folder / "clips").mkdir(parents=True)
    number = 0
    for table, count in (("train", 24), ("dev", 8), ("test", 8), ("validated", 2), ("invalidated", 1), ("other", 1)):
        lines = ["client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale"]
        for _ in range(count):
            label = list(TONES)[number % 2]
            soundfile.write(folder / "clips" / f"common_voice_en_{number}.mp3", tone(TONES[label], 32_000), 32_000)
            accent = "" if number == 23 else label
            lines.append(
                f'c{number // 4}\tcommon_voice_en_{number}.mp3\t"Well, {number}\t2\t0\ttwenties\tfemale\t{accent}\ten'
            )
            number += 1
        (folder / f"{table}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_common_voices_layout_is_read_as_it_is_downloaded(catalog, common_voice, model_folder):
    options = {"target": "accents", "folder": "clips", "group": "client_id", "quoted": False}
    assert heard(catalog, model_folder, str(common_voice), **options) == {"low": {300}, "high": {700}}
    task = catalog.build("tasks", "audio-classification", {"data": str(common_voice), **options})
    assert [len(task.splits(0)[split]) for split in ("train", "validation", "test")] == [23, 8, 8], (
        "the row without an accent is left out"
    )


def test_a_sound_that_is_not_where_the_table_says_is_named(catalog, common_voice, model_folder):
    task = catalog.build(
        "tasks", "audio-classification", {"data": str(common_voice), "target": "accents", "quoted": False}
    )
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))}).load_processor()
    with pytest.raises(UserError, match=r"en/common_voice_en_\d+\.mp3: cannot be read as a sound"):
        task.encode(task.splits(0).train, processor)
