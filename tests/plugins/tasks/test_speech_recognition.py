"""Transcripts: how they are normalised, read and scored, and that a tiny network learns some by heart."""

import gzip
import json
import unicodedata

import numpy as np
import pytest
import soundfile
import torch
from ftbench import UserError
from ftbench.records.predictions import PREDICTIONS, read_items
from ftbench.records.store import read_record
from ftbench.tasks import check_data
from ftbench.training.export import export
from hypothesis import given
from hypothesis import strategies as st

from ftbench_plugins.speech.recognition import SpeechRecognition
from ftbench_plugins.speech.transcripts import beam_search, errors, greedy, needed_frames, normalised, share
from tests.end_to_end.test_real_data import DATA

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven")


@pytest.mark.parametrize(
    ("text", "plain", "kept"),
    [
        ("The  cat, sat!", "the cat sat", "The cat, sat!"),
        ("It’s 5€", "it's 5", "It’s 5€"),
        ("ÉTÉ", "été", "ÉTÉ"),
        ("e\u0301", "é", "é"),
    ],
)
def test_a_transcript_is_compared_without_case_and_punctuation_unless_they_count(text, plain, kept):
    assert normalised(text, case=False, punctuation=False) == plain
    assert normalised(text, case=True, punctuation=True) == kept


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("İSTANBUL IĞDIR", "", "istanbul iğdir"),
        ("İSTANBUL IĞDIR", "tr", "istanbul ığdır"),
        ("İSTANBUL IĞDIR", "az", "istanbul ığdır"),
        ("J\u030cAPA", "", "\u01f0apa"),
        ("ΟΔΥΣΣΕΥΣ", "", "οδυσσευς"),
        ("ẞ Å", "", "ß å"),
    ],
)
def test_small_letters_are_single_characters_in_every_unicode_form(text, form, language, plain):
    given = unicodedata.normalize(form, text)
    assert normalised(given, case=False, punctuation=False, language=language) == plain


@given(st.text())
def test_no_letter_of_one_character_becomes_a_letter_and_a_mark(text):
    """A mark that is left was in the text, or belongs to a capital without a small form of one character."""
    marks = {sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign) == "Mn"}
    assert {s for s in normalised(text, case=False, punctuation=True) if unicodedata.category(s) == "Mn"} <= marks


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    once = normalised(text, case=False, punctuation=False)
    assert normalised(once, case=False, punctuation=False) == once


@pytest.mark.parametrize(
    ("frames", "said"), [([0, 1, 1, 0, 1, 2, 2], "aab"), ([0, 0], ""), ([2, 0, 2], "bb"), ([], "")]
)
def test_repeats_are_one_and_blanks_are_none(frames, said):
    assert greedy(frames, ["", "a", "b"]) == said


@pytest.mark.parametrize(
    ("right", "said", "words", "characters"),
    [
        ("the cat sat", "the cat sat", 0, 0),
        ("the cat sat", "on the cat sat down now", 3, 12),
        ("cat", "", 1, 3),
        ("cat", "Cat", 1, 1),
        ("cat", "cat.", 1, 1),
    ],
)
def test_errors_are_the_fewest_edits(right, said, words, characters):
    found = errors(right, said)
    assert (found["word_errors"], found["character_errors"]) == (words, characters)


def test_errors_are_summed_before_they_are_divided():
    counts = [errors("a b c d", "a b c x"), errors("e", "x")]
    assert share(counts, "word") == pytest.approx(2 / 5)
    assert share([errors("the cat sat", "on the cat sat down now")], "word") == 1.0


def test_a_beam_search_finds_what_is_likelier_in_sum_though_no_frame_says_it():
    pytest.importorskip("flashlight")
    # "" has the likeliest single path (.6·.6 = .36), "a" the likelier sum (.4·.4 + 2·.4·.6 = .64).
    probability = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32))
    assert greedy(probability.argmax(1).tolist(), ["", "a"]) == ""
    assert beam_search(probability, ["", "a"], 5) == "a"


def manifest(folder, rows, name="data.csv", column="text"):
    path = folder / name
    path.write_text(f"path,{column}\n" + "".join(f'{file},"{text}"\n' for file, text in rows))
    return path


def tone(path, seconds=0.5, rate=16_000, pitch=440):
    soundfile.write(
        path, (0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32), rate
    )
    return path.name


@pytest.fixture
def learner(catalog):
    return catalog.build("backbones", "tiny-wav2vec2", {}).load(3, "transcript")


def test_the_loss_is_that_of_torch_over_the_real_frames(tmp_path, learner):
    task = SpeechRecognition(
        str(manifest(tmp_path, [(tone(tmp_path / "a.wav", 0.5), "ab"), (tone(tmp_path / "b.wav", 0.9), "b a")]))
    )
    assert task.classes == ("<blank>", "|", "a", "b")
    encoded = task.encode(task.named(["data-0", "data-1"]), learner.processor)
    batch = task.collate(encoded, [0, 1])
    outputs = learner.forward(batch)
    # The front end as its configuration gives it: floor((n - kernel) / stride) + 1, layer by layer.
    for row, samples in enumerate((8_000, 14_400)):
        frames = samples
        for kernel, stride in zip(learner.model.config.conv_kernel, learner.model.config.conv_stride, strict=True):
            frames = (frames - kernel) // stride + 1
        assert outputs.frames[row] == frames
    logits = torch.randn(*outputs.logits.shape[:2], 4)
    made = type("Output", (), {"logits": logits, "frames": outputs.frames})
    wanted = torch.stack(
        [
            torch.nn.functional.ctc_loss(
                logits[row, : outputs.frames[row]].log_softmax(-1)[:, None],
                torch.tensor([target]),
                (int(outputs.frames[row]),),
                (len(target),),
            )
            for row, target in enumerate([[2, 3], [3, 1, 2]])
        ]
    ).mean()
    assert torch.allclose(task.loss(made, batch), wanted, atol=1e-5)


def test_what_is_heard_does_not_depend_on_the_padding(tmp_path, learner):
    task = SpeechRecognition(
        str(manifest(tmp_path, [(tone(tmp_path / "a.wav", 0.5), "ab"), (tone(tmp_path / "b.wav", 0.9), "b a")]))
    )
    encoded = task.encode(task.named(["data-0", "data-1"]), learner.processor)
    with torch.no_grad():
        alone, both = (learner.forward(task.collate(encoded, rows)) for rows in ([0], [0, 1]))
    frames = int(alone.frames[0])
    assert torch.allclose(alone.logits[0, :frames], both.logits[0, :frames], atol=1e-4)


def test_a_network_trained_without_masks_is_given_none(tmp_path, catalog, model_folder):
    found = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))}).load(4, "transcript")
    assert not found.masked
    task = SpeechRecognition(
        str(manifest(tmp_path, [(tone(tmp_path / "a.wav"), "ab"), (tone(tmp_path / "b.wav", 0.9), "b a")]))
    )
    batch = task.collate(task.encode(task.named(["data-0", "data-1"]), found.processor), [0, 1])
    with torch.no_grad():
        assert torch.equal(found.forward(batch).logits, found.model(input_values=batch["input_values"]).logits)


def test_a_sound_too_long_is_cut_off(tmp_path, learner):
    task = SpeechRecognition(str(manifest(tmp_path, [(tone(tmp_path / "a.wav", 2.0), "ab")])), max_seconds=0.5)
    assert task.encode(task.named(["data-0"]), learner.processor).units.tolist() == [0.5]


def test_either_error_rate_may_decide_because_items_contribute_to_both(tmp_path, learner):
    """The contributions average to the score, as those of leaving one item out do up to a factor."""
    rows = [(tone(tmp_path / f"{n}.wav", 0.5), text) for n, text in enumerate(("ab a", "b", "ab ab", "a"))]
    task = SpeechRecognition(str(manifest(tmp_path, rows)))
    encoded = task.encode(task.named([f"data-{n}" for n in range(4)]), learner.processor)
    answers = [np.array([2, 0, 1, 3]), np.array([3, 3]), np.array([2, 3, 1, 3]), np.array([0])]
    scored = task.score(answers, encoded)
    values = {one.name: one.value for one in scored.measurements}
    assert values["character_error_rate"] == pytest.approx(4 / 11)
    assert values["word_error_rate"] == pytest.approx(4 / 6)
    for name in ("word_error_rate", "character_error_rate"):
        assert np.mean([one[name] for one in scored.predictions]) == pytest.approx(values[name], abs=0.1)


@given(st.text("ab", min_size=1, max_size=12), st.integers(1, 24))
def test_a_transcript_needs_as_many_frames_as_torch_says(said, frames):
    target = torch.tensor([["", "a", "b"].index(sign) for sign in said])
    loss = torch.nn.functional.ctc_loss(
        torch.zeros(frames, 1, 3).log_softmax(-1), target[None], (frames,), (len(said),), reduction="sum"
    )
    assert bool(torch.isfinite(loss)) == (frames >= needed_frames(said))


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_the_frames_of_a_sound_are_those_of_its_network(catalog, model_folder, kind):
    for use, options in (("transformers", {"path": str(model_folder(kind))}), ("tiny-wav2vec2", {})):
        backbone = catalog.build("backbones", use, options)
        learner = backbone.load(3, "transcript")
        for samples in (400, 8_000, 14_401):
            assert backbone.frames(samples) == max(0, int(learner.frames(torch.tensor([samples]))[0]))
    whisper = catalog.build("backbones", "transformers", {"path": str(model_folder("whisper"))})
    assert whisper.frames(8_000) is None


def test_sounds_too_short_for_their_transcripts_are_counted_before_and_after_training(tmp_path, catalog, learner):
    backbone = catalog.build("backbones", "tiny-wav2vec2", {})
    rows = [(tone(tmp_path / f"{n}.wav", 0.5, pitch=200 + 31 * n), "ab " * (2 + 60 * (n % 5 == 0))) for n in range(30)]
    task = SpeechRecognition(str(manifest(tmp_path, rows)))
    found = {flaw.kind: flaw for flaw in check_data(task, backbone, 0, catalog.options(task))}
    flaw = found["sound too short for its transcript"]
    assert (flaw.severity, flaw.count, flaw.examples[0]) == ("warning", 6, "data.csv line 2 (0.wav)")
    encoded = task.encode(task.named([f"data-{n}" for n in range(10)]), learner.processor)
    task.examine_training(encoded, learner)
    score = task.score([np.array([2])] * 10, encoded).measurements[0]
    assert score.flags == ("20.0 % of the training sounds are too short for their transcripts and gave no gradient",)
    batch = task.collate(encoded, [0, 1])
    outputs = learner.forward(batch)
    alone = learner.forward(task.collate(encoded, [1]))
    # The oracle: the loss of a sound that is too short is 0, so it only halves that of the other.
    head = type("Output", (), {"logits": torch.randn(2, outputs.logits.shape[1], 4), "frames": outputs.frames})
    other = type("Output", (), {"logits": head.logits[1:, : alone.logits.shape[1]], "frames": alone.frames})
    assert torch.allclose(task.loss(head, batch), task.loss(other, task.collate(encoded, [1])) / 2, atol=1e-5)


def test_transcripts_that_cannot_be_learnt_are_named(tmp_path, catalog):
    rows = [(tone(tmp_path / f"{n}.wav", 0.5, pitch=200 + 31 * n), "ab") for n in range(20)]
    rows[3], rows[4] = (rows[3][0], "abc"), (rows[4][0], "!?")
    task = SpeechRecognition(str(manifest(tmp_path, rows)), characters="ab")
    backbone = catalog.build("backbones", "tiny-wav2vec2", {})
    found = {flaw.kind: flaw for flaw in check_data(task, backbone, 0, catalog.options(task))}
    assert (found["character not among characters"].severity, found["character not among characters"].count) == (
        "error",
        1,
    )
    assert found["transcript without a character"].count == 1


def test_transcripts_without_a_character_are_refused(tmp_path):
    task = SpeechRecognition(str(manifest(tmp_path, [(tone(tmp_path / "a.wav"), "?!")])))
    with pytest.raises(UserError, match="column 'text' holds no character that is kept"):
        _ = task.classes


def test_the_characters_may_be_given_and_hold_for_all_transcripts(tmp_path, learner):
    data = str(manifest(tmp_path, [(tone(tmp_path / "a.wav"), "Ab"), (tone(tmp_path / "b.wav"), "b c")]))
    task = SpeechRecognition(data, characters="bca ")
    assert task.classes == ("<blank>", "b", "c", "a", "|")
    assert task.encode(task.named(["data-0", "data-1"]), learner.processor).labels.take([0, 1])[0].tolist() == [
        [3, 1, -100],
        [1, 4, 2],
    ]
    with pytest.raises(UserError, match=r"data\.csv: data row 2: holds 'c', which is not among the characters 'ba '"):
        SpeechRecognition(data, characters="ba ").encode(task.named(["data-0", "data-1"]), learner.processor)


@pytest.mark.parametrize(
    ("characters", "said"),
    [("aba", "'a' stands there twice"), ("aB", "'B' is in no transcript"), ("a,", "',' is in no")],
)
def test_characters_no_transcript_can_hold_are_refused(characters, said):
    with pytest.raises(UserError, match=said):
        SpeechRecognition("d.csv", characters=characters)
    if "twice" not in said:
        assert SpeechRecognition("d.csv", characters=characters, case=True, punctuation=True).characters == characters


def eight_words(folder, catalog):
    """Return eight real recordings of digits if available, otherwise eight of the shipped words."""
    if DATA.exists():
        digits = DATA / "spoken-digits"
        return [(next(iter(sorted(digits.glob(f"{digit}_george_*.wav")))), name) for digit, name in enumerate(NAMES)]
    task = catalog.build("tasks", "spoken-commands", {"train_size": 40, "validation_size": 0, "test_size": 10})
    chosen = {task.classes[example.label]: example.value for example in task.splits(0).train}
    for name, sound in list(chosen.items())[:8]:
        soundfile.write(folder / f"{name}.wav", np.asarray(sound, np.float32), 16_000)
    return [(folder / f"{name}.wav", name) for name in list(chosen)[:8]]


@pytest.mark.thorough
def test_eight_words_are_learnt_by_heart_and_read_back_by_transformers(tmp_path, ftbench, catalog):
    import transformers

    rows = eight_words(tmp_path, catalog)
    (tmp_path / "d").mkdir()
    for split in ("train", "validation", "test"):
        manifest(tmp_path / "d", [(file.resolve(), word) for file, word in rows], f"{split}.csv")
    (tmp_path / "s.toml").write_text(
        'name = "s"\nseeds = [0]\nprofile = "smoke"\n[training]\nsteps = 150\nbatch_size = 8\nlr = 1e-3\n[machine]\nthreads = 1\n'
        '[[backbone]]\nuse = "tiny-wav2vec2"\n[[task]]\nuse = "speech-recognition"\n'
        f'data = "{tmp_path / "d"}"\n[[strategy]]\nuse = "full"\n'
    )
    done = ftbench("run", "s.toml", "--allow-data-errors", check=0)
    assert "word_error_rate 0.000" in done.stdout + done.stderr
    path = next((tmp_path / "runs").rglob("record.json"))
    with gzip.open(path.parent / "predictions.jsonl.gz", "rt") as stream:
        said = {one["id"]: one["prediction"] for one in map(json.loads, stream)}
    assert sorted(said.values()) == sorted(word for _, word in rows)
    assert read_items(path.parent / PREDICTIONS, read_record(path)).values.tolist() == [0] * 8

    assert export(tmp_path / "runs/s", path.parent.parent.name, tmp_path / "model", catalog, adapter=False).same
    model = transformers.AutoModelForCTC.from_pretrained(tmp_path / "model").eval()
    processor = transformers.Wav2Vec2Processor.from_pretrained(tmp_path / "model")
    for number, (file, word) in enumerate(rows):
        samples, rate = soundfile.read(file, dtype="float32")
        if rate != 16_000:
            from scipy.signal import resample_poly

            samples = resample_poly(samples, 16_000 // 8_000, 1).astype(np.float32)
        made = processor(samples, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            heard = processor.batch_decode(model(input_values=made["input_values"]).logits.argmax(-1))[0]
        assert heard == said[f"test-{number}"] == word
