"""The embedded data: what is in them, that they are the same everywhere, and how they are scored."""

import numpy as np
import pytest
from ftbench import Encoded

NAMES = (
    "word-sentiment",
    "word-intensity",
    "digits",
    "digits-0-4",
    "digits-5-9",
    "spoken-commands",
    "commands-a",
    "commands-b",
)


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_reproducible_disjoint_and_balanced(name, catalog):
    task = catalog.build("tasks", name, {})
    splits, again = task.splits(0), task.splits(0)
    assert splits.hash() == again.hash() != task.splits(1).hash()
    ids = splits.ids()
    assert len({i for part in ids.values() for i in part}) == sum(map(len, ids.values()))
    for part, size in (("train", task.train_size), ("validation", task.validation_size), ("test", task.test_size)):
        counts = np.bincount([e.label for e in splits[part]], minlength=len(task.classes))
        assert counts.sum() == size
        assert counts.max() - counts.min() <= 1


def test_the_lexicon_has_the_entries_it_is_said_to_have():
    from ftbench_plugins.text.lexicon import words

    rated = [word for word in words() if abs(word.rating) >= 1.0]
    # 5,586 entries, eight of them twice in two ratings.
    assert len(rated) == 5578
    assert len({word.family for word in rated}) == 1889


def test_a_command_is_a_second_of_sound_that_comes_from_the_seed_alone(catalog):
    splits = catalog.build("tasks", "spoken-commands", {}).splits(0)
    first = min(splits.test, key=lambda e: int(e.id.partition("-")[2]))
    assert first.value.shape == (16_000,)
    assert first.value.dtype == np.float32
    other_seed = {e.id: e.value for e in catalog.build("tasks", "spoken-commands", {}).splits(5).test}
    assert np.array_equal(other_seed[first.id], first.value), "the room is the clip's, whatever split it is drawn into"
    assert len({e.value.tobytes() for e in splits.test}) == len(splits.test)
    assert 0.01 < np.abs(first.value).max() < 3


def test_words_of_a_family_and_clips_of_a_voice_belong_together(catalog):
    words = catalog.build("tasks", "word-sentiment", {})
    assert words.groups(["abused", "abuser", "good"]) == ["abuse", "abuse", "good"]
    commands = catalog.build("tasks", "spoken-commands", {})
    test = commands.splits(0).test
    voices = commands.groups([example.id for example in test])
    assert len(set(voices)) == 20
    assert len(voices) == len(test)


def test_synthetic_data_say_so(catalog):
    for name in ("spoken-commands", "commands-a", "commands-b"):
        assert catalog.build("tasks", name, {}).provenance().note == "synthetic"


def test_the_noise_and_the_room_are_what_they_are_said_to_be():
    from ftbench_plugins.speech.acoustics import at_snr, coloured_noise, room_response

    rng = np.random.default_rng(0)
    noise = coloured_noise(rng, 160_000)
    assert noise.std() == pytest.approx(1, abs=1e-3)
    signal = np.sin(np.arange(160_000) / 10).astype(np.float32)
    added = at_snr(signal, noise, 20.0) - signal
    assert 10 * np.log10(np.mean(signal**2) / np.mean(added**2)) == pytest.approx(20, abs=0.1)
    for _ in range(20):
        response = room_response(rng)
        assert response[0] == 1
        assert not response[1:32].any()
        assert -6.01 <= 10 * np.log10(np.sum(response[1:] ** 2)) <= 0.01


def test_scores_are_scikit_learns_and_absent_classes_are_left_out(catalog):
    task = catalog.build("tasks", "digits", {})
    labels = np.array([0, 0, 1, 1])
    logits = np.full((4, 10), -9.0, np.float32)
    logits[range(4), [0, 0, 1, 2]] = 9.0
    scored = task.score(logits, Encoded({}, labels, tuple("abcd"), np.ones(4)))
    found = {m.name: m.value for m in scored.measurements}
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["loss"] == pytest.approx((3 * np.log(1 + 9 * np.exp(-18.0)) + np.log(np.exp(18.0) + 9)) / 4, rel=1e-4)
    assert scored.confusion[1][:3] == (0, 1, 1)
    assert scored.predictions[3] == {
        "id": "d",
        "label": 1,
        "prediction": 2,
        "probabilities": pytest.approx([0, 0, 1, *[0] * 7], abs=1e-6),
    }
