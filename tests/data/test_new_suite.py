"""A suite written for a user's own data runs unchanged."""

import tomllib

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
            "no column looks like the text; its columns are a, b; rename one to 'text', or write the suite",
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
