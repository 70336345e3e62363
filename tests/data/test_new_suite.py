"""A suite written for a user's own data runs unchanged."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from ftbench.suite.parser import parse_suite


@pytest.fixture
def data(tmp_path):
    """Create a table, a folder of images and a folder of sounds, each with three separable classes."""
    import soundfile
    from PIL import Image

    rng = np.random.default_rng(0)
    words = ("good", "bad", "odd")
    (tmp_path / "reviews.csv").write_text(
        "Review,Sentiment\n" + "".join(f"{words[n % 3]} number {n},{words[n % 3]}\n" for n in range(60))
    )
    for n in range(48):
        for kind, suffix in (("pictures", "png"), ("sounds", "wav")):
            folder = tmp_path / kind / words[n % 3]
            folder.mkdir(parents=True, exist_ok=True)
            if suffix == "png":
                Image.fromarray(rng.integers(60 * (n % 3), 60 * (n % 3) + 90, (12, 12), dtype=np.uint8)).save(
                    folder / f"{n}.png"
                )
            else:
                tone = np.sin(np.arange(8000) * 0.05 * (1 + n % 3)) + rng.normal(0, 0.05, 8000)
                soundfile.write(folder / f"{n}.wav", tone.astype(np.float32) * 0.3, 8000)
    return tmp_path


@pytest.mark.parametrize(
    ("task", "path", "options"),
    [
        ("text-classification", "reviews.csv", {"data": "reviews.csv", "text": "Review", "target": "Sentiment"}),
        ("image-classification", "pictures", {"data": "pictures"}),
        ("audio-classification", "sounds", {"data": "sounds"}),
    ],
)
def test_it_is_written_is_valid_and_runs(task, path, options, data, ftbench, catalog):
    ftbench("new", "suite", "--task", task, "--data", path, "-o", "own.toml", cwd=data, check=0)
    suite = parse_suite(tomllib.loads((data / "own.toml").read_text()), catalog)
    assert suite.tasks[0].options == options
    assert "18 trials" in ftbench("validate", "own.toml", cwd=data, check=0).stdout
    # One strategy and one seed are enough to see that it runs; its speed is not what is looked at.
    text = (data / "own.toml").read_text().replace("[0, 1, 2]", "[0]").replace("epochs = 3", "epochs = 1")
    (data / "own.toml").write_text('profile = "smoke"\n' + text.partition('[[strategy]]\nuse = "lora"')[0])
    done = ftbench("run", "own.toml", cwd=data, check=0)
    assert "1 trials: 1 ok" in done.stdout + done.stderr


def test_what_cannot_be_guessed_is_asked_for(data, ftbench):
    (data / "odd.csv").write_text("a,b\n1,2\n")
    for arguments, message in (
        (
            ("--task", "text-classification", "--data", "odd.csv"),
            "or write the suite yourself; if the first line is a row already, name the columns there: columns = [...]",
        ),
        (("--task", "text-clasification", "--data", "odd.csv"), "did you mean 'text-classification'?"),
        (("--task", "text-classification", "--data", "nothing.csv"), "nothing.csv: no such file or folder"),
        (("--task", "text-classification"), "give a TEMPLATE, or both --task and --data"),
        (
            ("--task", "image-classification", "--data", "pictures/good"),
            "put each class in its own folder, or set pattern",
        ),
    ):
        done = ftbench("new", "suite", *arguments, cwd=data)
        assert done.returncode == 2
        assert message in done.stderr
        assert not list(data.glob("*.toml"))


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("token-classification", {}),
        ("question-answering", {}),
        ("text-regression", {}),
        ("multi-label-text-classification", {}),
        ("speech-recognition", {"transcription": "text"}),
    ],
)
def test_other_answers_have_their_columns_found_too(task, columns, tmp_path, ftbench, catalog):
    from tests.support.small_data import TEXT_TASKS, tones

    path = TEXT_TASKS[task][0](tmp_path) if task in TEXT_TASKS else tones(tmp_path)
    for new, old in columns.items():
        path.write_text(path.read_text().replace(f",{old}\n", f",{new}\n", 1))
    ftbench("new", "suite", "--task", task, "--data", path.name, "-o", "own.toml", cwd=tmp_path, check=0)
    suite = parse_suite(tomllib.loads((tmp_path / "own.toml").read_text()), catalog)
    assert suite.tasks[0].options == {"data": path.name} | ({"target": next(iter(columns))} if columns else {})
    assert "18 trials" in ftbench("validate", "own.toml", cwd=tmp_path, check=0).stdout


def clips(folder, count=12):
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        tone = np.sin(np.arange(8000) * 0.05 * (1 + n % 2)) * 0.3
        soundfile.write(folder / f"cv_{n}.mp3", tone, 8000)


def common_voice(folder):
    """Lay out files like Common Voice: tables of splits next to others, clips in a folder."""
    clips(folder / "clips")
    columns = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\taccents\tlocale\n"
    rows = [f'{n // 2:x}\tcv_{n}.mp3\t{n}\t"Hello" he said {n % 3}\t2\t\t\ten\n' for n in range(12)]
    for name, part in (("train", rows[:8]), ("dev", rows[8:10]), ("test", rows[10:]), ("validated", rows)):
        (folder / f"{name}.tsv").write_text(columns + "".join(part))
    (folder / "clip_durations.tsv").write_text("clip\tduration[ms]\ncv_0.mp3\t1000\n")


def image_folder(folder, column, *splits):
    """Lay out files like `imagefolder` of `datasets`: a table of the files in each folder."""
    from PIL import Image

    for split in splits or ("",):
        (folder / split).mkdir(parents=True, exist_ok=True)
        rows = []
        for n in range(24):
            Image.fromarray(np.uint8(np.random.default_rng(n).integers(0, 255, (8, 8)))).save(
                folder / split / f"{n}.png"
            )
            rows.append(f"{n}.png,{'ab'[n % 2]}\n")
        (folder / split / "metadata.csv").write_text(f"{column},label\n" + "".join(rows))


@pytest.mark.parametrize(
    ("task", "make", "path", "options"),
    [
        (
            "speech-recognition",
            common_voice,
            "cv",
            {"target": "sentence", "folder": "clips", "group": "client_id"},
        ),
        (
            "speech-recognition",
            common_voice,
            "cv/validated.tsv",
            {"target": "sentence", "folder": "clips", "group": "client_id"},
        ),
        *(
            ("image-classification", lambda folder, name=name: image_folder(folder, name), "cv", {"image": name})
            for name in ("file_name", "filename", "image_path")
        ),
        (
            "image-classification",
            lambda folder: image_folder(folder, "file_name", "train", "test"),
            "cv",
            {"image": "file_name"},
        ),
    ],
)
def test_the_layouts_of_common_voice_and_imagefolder_are_known(task, make, path, options, tmp_path, ftbench, catalog):
    make(tmp_path / "cv")
    ftbench("new", "suite", "--task", task, "--data", path, "-o", "own.toml", cwd=tmp_path, check=0)
    found = parse_suite(tomllib.loads((tmp_path / "own.toml").read_text()), catalog).tasks[0].options
    data = found.pop("data")
    assert found == options
    if task == "image-classification":
        whole = str(Path("cv/metadata.csv"))
        assert data in (whole, {split: f"cv/{split}/metadata.csv" for split in ("train", "test")})
    assert "18 trials" in ftbench("validate", "own.toml", cwd=tmp_path, check=0).stdout
    checked = ftbench("data", "check", "own.toml", cwd=tmp_path).stdout
    assert "unreadable" not in checked


@pytest.mark.parametrize(("every", "expected"), [(30, "macro_f1"), (3, "")])
def test_unequal_classes_are_decided_by_macro_f1(every, expected, tmp_path, ftbench, catalog):
    rows = [f"text number {n},{'rare' if n % every == 0 else 'usual'}" for n in range(300)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    ftbench("new", "suite", "--task", "text-classification", "--data", "rows.csv", check=0)
    text = (tmp_path / "rows.toml").read_text()
    assert parse_suite(tomllib.loads(text), catalog).tasks[0].metric == expected
    # What is written and what the check of the data reports follow one rule.
    checked = ftbench("data", "check", "rows.toml", check=0).stdout
    assert ("classes of very different size" in checked) == bool(expected)
    line = next(line for line in text.splitlines() if "metric = " in line)
    if expected:
        assert "# not accuracy: 'usual' 203 and 'rare' 7 training examples" in line
    else:
        assert line.startswith('# metric = "macro_f1"')


def test_the_example_of_a_metric_is_one_of_the_task(tmp_path, ftbench):
    (tmp_path / "rows.csv").write_text("text,score\n" + "".join(f"text {n},{n % 7}\n" for n in range(40)))
    ftbench("new", "suite", "--task", "text-regression", "--data", "rows.csv", check=0)
    assert '\n# metric = "spearman"  ' in (tmp_path / "rows.toml").read_text()
