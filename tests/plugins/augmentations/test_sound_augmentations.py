"""Sound augmentations: levels in decibels, lengths, pitches, and positions of masks."""

from itertools import pairwise

import numpy as np
import pytest
from ftbench import UserError
from ftbench.data.augmented import Augmented
from ftbench.tasks import Sound

from ftbench_plugins.speech.augmentations.audio_gain import AudioGain
from ftbench_plugins.speech.augmentations.audio_noise import AudioNoise
from ftbench_plugins.speech.augmentations.specaugment import SpecAugment, heard
from ftbench_plugins.speech.augmentations.speed import Speed
from ftbench_plugins.speech.augmentations.time_shift import TimeShift

RATE = 16_000


def tone(hertz=440, seconds=1.0):
    return Sound(np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32), RATE)


def decibels(one, other):
    return 10 * np.log10(np.mean(np.square(one, dtype=float)) / np.mean(np.square(other, dtype=float)))


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("snr", [-5.0, 0.0, 20.0])
def test_noise_stands_at_the_ratio_asked_for(snr, colour):
    sound = tone(seconds=10)
    found = AudioNoise(snr=(snr, snr), colour=colour).change(sound, np.random.default_rng(0))
    assert found.samples.dtype == np.float32
    assert decibels(sound.samples, found.samples - sound.samples) == pytest.approx(snr, abs=0.1)


def test_the_ratio_is_uniform_in_its_range():
    sound = tone(seconds=0.1)
    rng = np.random.default_rng(0)
    found = np.array(
        [
            decibels(sound.samples, AudioNoise(snr=(5, 25)).change(sound, rng).samples - sound.samples)
            for _ in range(500)
        ]
    )
    assert 5 - 0.01 < found.min() < 5.5
    assert 24.5 < found.max() < 25.01
    assert abs(found.mean() - 15) < 3 * 20 / np.sqrt(12 * 500)


def test_white_noise_is_flat_and_pink_noise_falls_by_three_decibels_an_octave():
    silence = Sound(np.full(2**18, 1e-3, np.float32), RATE)
    for colour, slope in (("white", 0.0), ("pink", -3.01)):
        noise = (
            AudioNoise(snr=(0, 0), colour=colour).change(silence, np.random.default_rng(0)).samples - silence.samples
        )
        power = np.abs(np.fft.rfft(noise)) ** 2
        octaves = [10 * np.log10(power[2**k : 2 ** (k + 1)].mean()) for k in range(9, 17)]
        assert [b - a for a, b in pairwise(octaves)] == pytest.approx([slope] * 7, abs=0.6)


def test_silence_stays_silent_and_a_range_that_is_none_is_a_mistake():
    silent = Sound(np.zeros(100, np.float32), RATE)
    assert not AudioNoise().change(silent, np.random.default_rng(0)).samples.any()
    with pytest.raises(UserError, match=r"snr: 30.0 is above 10.0"):
        AudioNoise(snr=(30.0, 10.0))


def test_gain_is_within_its_decibels():
    sound = tone()
    rng = np.random.default_rng(0)
    found = np.array([decibels(AudioGain(decibels=6).change(sound, rng).samples, sound.samples) for _ in range(500)])
    assert -6.001 < found.min() < -5.8
    assert 5.8 < found.max() < 6.001
    assert abs(found.mean()) < 3 * 12 / np.sqrt(12 * 500)


def test_a_shift_moves_whole_samples_and_lets_silence_in():
    sound = Sound(np.arange(1, 1001, dtype=np.float32), 1000)
    shifts = []
    for seed in range(300):
        moved = TimeShift(seconds=0.2).change(sound, np.random.default_rng(seed)).samples
        assert len(moved) == 1000
        shift = int(np.flatnonzero(moved)[0]) if moved[-1] else -int(1000 - np.count_nonzero(moved))
        expected = np.zeros(1000, np.float32)
        expected[max(0, shift) : 1000 + min(0, shift)] = sound.samples[max(0, -shift) : 1000 - max(0, shift)]
        assert np.array_equal(moved, expected)
        shifts.append(shift)
    assert -200 <= min(shifts) < -190
    assert 190 < max(shifts) <= 200
    assert (
        not TimeShift(seconds=10).change(Sound(np.ones(10, np.float32), 1000), np.random.default_rng(0)).samples.any()
    )


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_speed_changes_length_and_pitch_by_its_factor(factor):
    sound = tone(440, 2.0)
    found = Speed(factors=(factor,)).change(sound, np.random.default_rng(0))
    assert found.rate == RATE
    assert found.samples.dtype == np.float32
    assert len(found.samples) == pytest.approx(2 * RATE / factor, abs=1)
    spectrum = np.abs(np.fft.rfft(found.samples * np.hanning(len(found.samples))))
    assert np.argmax(spectrum) * RATE / len(found.samples) == pytest.approx(440 * factor, abs=0.6)
    assert Speed(factors=(1.0,)).change(sound, np.random.default_rng(0)) is sound


def spectrogram(mels=20, frames=50, filling=0):
    values = np.random.default_rng(0).normal(size=(mels, frames)).astype(np.float32)
    values[:, frames - filling :] = -1.5
    return values


def runs(masked):
    """Return begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], masked, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@pytest.mark.parametrize("name", ["input_features", "input_values"])
@pytest.mark.parametrize("filling", [0, 12])
def test_masks_of_a_spectrogram_are_bands_no_wider_than_asked_for_and_lie_where_there_is_sound(name, filling):
    values = spectrogram(filling=filling)
    mean = values[:, : 50 - filling].mean()
    widths = {"time": set(), "mels": set()}
    reached = np.zeros((20, 50), bool)
    for seed in range(400):
        kind = "time" if seed % 2 else "mels"
        made = SpecAugment(time_masks=seed % 2, frequency_masks=1 - seed % 2, time_width=0.3, frequency_width=0.4)
        given = {name: values if name == "input_features" else values.T}
        found = made.change_features(given, np.random.default_rng(seed))[name]
        found = found if name == "input_features" else found.T
        masked = found != values
        assert np.allclose(found[masked], mean)
        spots = runs(masked.any(0) if kind == "time" else masked.any(1))
        assert len(spots) <= 1
        widths[kind].update(end - begin for begin, end in spots)
        if spots:
            begin, end = spots[0]
            area = masked[:, begin:end] if kind == "time" else masked[begin:end, : 50 - filling]
            assert area.all()
        reached |= masked
    assert max(widths["time"]) == int(0.3 * (50 - filling))
    assert max(widths["mels"]) == int(0.4 * 20)
    assert not reached[:, 50 - filling :].any()
    assert reached[:, : 50 - filling].all()
    assert np.array_equal(values, spectrogram(filling=filling)), "the array given stays as it is"


def test_widths_are_uniform_from_nothing_to_the_widest():
    values = spectrogram(frames=101)
    found = []
    for seed in range(600):
        masked = SpecAugment(time_masks=1, frequency_masks=0, time_width=0.1).change_features(
            {"input_features": values}, np.random.default_rng(seed)
        )
        found.append(int((masked["input_features"] != values).any(0).sum()))
    counts = np.bincount(found, minlength=11)
    assert len(counts) == 11
    assert (np.abs(counts - 600 / 11) < 3.5 * np.sqrt(600 / 11 * 10 / 11)).all()


def test_no_masks_change_nothing():
    none = SpecAugment(time_masks=0, frequency_masks=0)
    for values in (spectrogram(), tone().samples):
        assert np.array_equal(
            none.change_features({"input_values": values}, np.random.default_rng(0))["input_values"], values
        )


def test_of_a_waveform_stretches_become_its_mean():
    wave = np.random.default_rng(0).normal(0.3, 1, 8000).astype(np.float32)
    wave[6000:] = 0
    made = SpecAugment(time_masks=1, frequency_masks=0, time_width=0.25)
    for seed in range(50):
        found = made.change_features({"input_values": wave}, np.random.default_rng(seed))["input_values"]
        spots = runs(found != wave)
        assert len(spots) <= 1
        for begin, end in spots:
            assert end <= 6000
            assert end - begin <= 1500
            assert found[begin:end] == pytest.approx(wave[:6000].mean())


def test_of_a_waveform_bands_of_the_mel_scale_are_left_out():
    wave = np.random.default_rng(0).normal(size=RATE).astype(np.float32)
    before = np.abs(np.fft.rfft(wave))
    mels = 2595 * np.log10(1 + np.fft.rfftfreq(RATE, 1 / RATE) / 700)
    widest = 0.0
    for seed in range(60):
        made = SpecAugment(time_masks=0, frequency_masks=1, frequency_width=0.3)
        found = made.change_features({"input_values": wave}, np.random.default_rng(seed))["input_values"]
        assert found.dtype == np.float32
        after = np.abs(np.fft.rfft(found))
        gone = after < 1e-2
        gone &= before > 1.0
        assert np.allclose(after[~gone], before[~gone], atol=0.05)
        if gone.any():
            band = np.flatnonzero(gone)
            assert (after[band[0] : band[-1] + 1] < 1e-2).all()
            widest = max(widest, mels[band[-1]] - mels[band[0]])
    assert 0.25 * mels[-1] < widest <= 0.3 * mels[-1]


def test_filling_is_what_is_alike_at_the_end():
    values = np.array([[1, 2, 3, 4, 4, 4]])
    assert heard(values) == 3
    assert heard(values[:, :4]) == 4
    assert heard(np.ones((2, 5))) == 5
    assert heard(np.ones((2, 1))) == 1


@pytest.mark.parametrize("kind", ["whisper", "audio-spectrogram-transformer", "wav2vec2"])
def test_what_every_kind_of_network_hears_is_masked_and_filling_is_not(kind, catalog, model_folder, tmp_path):
    import soundfile

    rng = np.random.default_rng(0)
    for number in range(16):
        (tmp_path / f"c{number % 2}").mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"c{number % 2}" / f"{number}.wav", rng.normal(0, 0.1, 4800), RATE)
    augment = [{"use": "specaugment", "time_width": 0.5, "frequency_width": 0.5}]
    task = catalog.build("tasks", "audio-classification", {"data": str(tmp_path), "seconds": 0.3, "augment": augment})
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).load_processor()
    train = task.splits(0).train
    encoded = task.encode(train, processor)
    ((name, clean),) = encoded.columns.items()
    changed = Augmented(task, train, encoded, processor).take(range(len(train)), seed=0, epoch=0).columns[name]
    assert changed.shape == clean.shape
    differs = changed != clean
    assert all(one.any() for one in differs)
    time = differs.any((0, 1)) if kind == "whisper" else differs.any((0, 2)) if clean.ndim == 3 else differs.any(0)
    # 0.3 s are 30 frames, at Whisper followed by silence up to 100, at AST up to 64.
    if kind != "wav2vec2":
        assert np.flatnonzero(time)[-1] < 33 < len(time)
    assert np.isfinite(changed).all()
