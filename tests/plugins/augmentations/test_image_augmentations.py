"""Random changes of images: against Pillow, numpy and the papers' formulas."""

import numpy as np
import pytest
import torch
from ftbench import UserError
from ftbench.tasks import Item
from PIL import Image, ImageEnhance, ImageOps

from ftbench_plugins.vision.augmentations.colour_jitter import ColourJitter
from ftbench_plugins.vision.augmentations.cutmix import CutMix
from ftbench_plugins.vision.augmentations.horizontal_flip import HorizontalFlip
from ftbench_plugins.vision.augmentations.mixup import Mixup, averaged
from ftbench_plugins.vision.augmentations.randaugment import OPERATIONS, RandAugment
from ftbench_plugins.vision.augmentations.random_crop import RandomCrop
from ftbench_plugins.vision.augmentations.rotation import Rotation


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def same(one, other):
    return one.size == other.size and one.mode == other.mode and np.array_equal(np.asarray(one), np.asarray(other))


def test_mirroring_twice_changes_nothing_and_once_turns_the_columns_round(image):
    rng = np.random.default_rng(0)
    once = HorizontalFlip().change(image, rng)
    assert np.array_equal(np.asarray(once), np.asarray(image)[:, ::-1])
    assert same(HorizontalFlip().change(once, rng), image)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["resized", "padded"])
def test_a_crop_keeps_the_size_and_the_image_itself(kind, mode, image):
    image = image.convert(mode)
    before = image.copy()
    rng = np.random.default_rng(0)
    for _ in range(100):
        found = RandomCrop(kind=kind).change(image, rng)
        assert (found.size, found.mode) == (image.size, mode)
    assert same(image, before)


def test_a_padded_crop_is_the_image_moved_by_at_most_the_padding(image):
    rng = np.random.default_rng(0)
    padded = np.pad(np.asarray(image), ((4, 4), (5, 5), (0, 0)))
    windows = {padded[top : top + 30, left : left + 40].tobytes() for top in range(9) for left in range(11)}
    found = {np.asarray(RandomCrop(kind="padded").change(image, rng)).tobytes() for _ in range(500)}
    assert found <= windows
    assert len(found) > 90


def test_a_resized_crop_is_of_the_areas_and_shapes_asked_for():
    # The ends of a ramp in both directions show which box was cut out.
    side = 240
    ramp = np.arange(side, dtype=np.uint8)
    across = Image.fromarray(np.repeat(ramp[None], side, 0))
    down = Image.fromarray(np.repeat(ramp[:, None], side, 1))
    areas = []
    for seed in range(200):
        made = RandomCrop(area=(0.25, 0.5))
        x = np.asarray(made.change(across, np.random.default_rng(seed)))[0].astype(float)
        y = np.asarray(made.change(down, np.random.default_rng(seed)))[:, 0].astype(float)
        width, height = x[-1] - x[0] + 1, y[-1] - y[0] + 1
        areas.append(width * height / side**2)
        assert 3 / 4 - 0.03 < width / height < 4 / 3 + 0.03
    assert 0.24 < min(areas) < 0.27
    assert 0.48 < max(areas) < 0.52
    assert same(RandomCrop(area=(1.0, 1.0), ratio=(3.0, 3.0)).change(across, np.random.default_rng(0)), across)


def test_a_range_that_ends_before_it_begins_is_a_mistake():
    with pytest.raises(UserError) as raised:
        RandomCrop(area=(0.9, 0.1), ratio=(2.0, 1.0))
    assert raised.value.mistakes == ("area: 0.9 is above 0.1", "ratio: 2.0 is above 1.0")


def test_an_image_is_turned_about_its_centre_by_no_more_than_was_asked_for():
    spot = np.zeros((101, 101), np.uint8)
    spot[48:53, 88:93] = 255
    angles = []
    for seed in range(200):
        turned = np.asarray(Rotation(degrees=30).change(Image.fromarray(spot), np.random.default_rng(seed)), float)
        y, x = (np.indices(spot.shape) * turned).sum((1, 2)) / turned.sum() - 50
        assert np.hypot(x, y) == pytest.approx(40, abs=0.7)
        angles.append(np.degrees(np.arctan2(-y, x)))
    assert max(np.abs(angles)) < 30.7
    assert max(np.abs(angles)) > 28
    assert abs(np.mean(angles)) < 3 * 30 / np.sqrt(3 * 200)


def test_colours_change_by_factors_within_the_range(image):
    grey = Image.new("RGB", (4, 4), (100, 100, 100))
    levels = [
        np.asarray(ColourJitter(contrast=0.0).change(grey, np.random.default_rng(s)))[0, 0, 0] for s in range(200)
    ]
    assert 60 <= min(levels) < 65
    assert 135 < max(levels) <= 140
    assert same(
        ColourJitter(brightness=0.0, contrast=0.0, saturation=0.0).change(image, np.random.default_rng(0)), image
    )
    alone = ColourJitter(brightness=0.0, contrast=0.0, saturation=0.5).change(image, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    order = rng.permutation(3).tolist()
    factors = {kind: rng.uniform(1 - width, 1 + width) for kind, width in ((k, 0.5 if k == 2 else 0.0) for k in order)}
    assert same(alone, ImageEnhance.Color(image).enhance(factors[2]))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_keeps_size_and_mode_and_is_stronger_the_more(name, mode, image):
    image = image.resize((40, 30)).convert(mode)
    for sign in (1, -1):
        found = [OPERATIONS[name](image, strength, sign) for strength in (0.0, 0.5, 1.0)]
        assert all((one.size, one.mode) == (image.size, mode) for one in found)
        distance = [np.abs(np.asarray(one, float) - np.asarray(image, float)).mean() for one in found]
        if name in {"identity", "autocontrast", "equalize"} or (name == "color" and mode == "L"):
            assert distance[0] == distance[2]
        else:
            assert distance[0] == 0
            assert 0 < distance[1] < distance[2]


def test_the_strongest_operations_are_those_of_the_paper(image):
    assert same(OPERATIONS["posterize"](image, 1.0, 1), ImageOps.posterize(image, 4))
    assert same(OPERATIONS["solarize"](image, 1.0, 1), ImageOps.invert(image))
    assert same(OPERATIONS["rotate"](image, 1.0, -1), image.rotate(-30, Image.Resampling.BILINEAR))
    assert same(OPERATIONS["brightness"](image, 1.0, 1), ImageEnhance.Brightness(image).enhance(1.9))
    moved = np.asarray(OPERATIONS["translate-x"](Image.fromarray(np.full((331, 331), 255, np.uint8)), 1.0, 1))
    assert (moved == 0).mean() == pytest.approx(150 / 331, abs=0.005)
    # A square of one unit leans by 0.3: the edge of what was inside runs along that line.
    leaning = np.asarray(OPERATIONS["shear-x"](Image.fromarray(np.full((200, 200), 255, np.uint8)), 1.0, 1))
    empty = (leaning == 0).sum(1)
    assert empty[0] == pytest.approx(30, abs=2)
    assert empty[100] <= 1
    assert empty[-1] == pytest.approx(30, abs=2)


def test_as_many_operations_are_applied_as_were_asked_for(image, monkeypatch):
    seen = []
    for name in OPERATIONS:
        monkeypatch.setitem(
            OPERATIONS, name, lambda image, strength, sign, name=name: seen.append((name, strength, sign)) or image
        )
    rng = np.random.default_rng(0)
    for _ in range(700):
        RandAugment(operations=3, magnitude=15).change(image, rng)
    assert len(seen) == 2100
    counts = np.array([sum(one[0] == name for one in seen) for name in OPERATIONS])
    assert (np.abs(counts - 150) < 3.5 * np.sqrt(2100 / 14 * 13 / 14)).all()
    assert {one[1] for one in seen} == {0.5}
    assert abs(sum(one[2] for one in seen)) < 3 * np.sqrt(2100)


def item(seed, label, classes=5):
    rng = np.random.default_rng(seed)
    return Item(
        {"pixel_values": rng.normal(size=(3, 16, 12)).astype(np.float32)}, np.eye(classes, dtype=np.float32)[label], 1.0
    )


def test_the_loss_of_a_mixture_is_the_mixture_of_the_losses(catalog):
    """λ·CE(a) + (1 − λ)·CE(b) (Zhang et al. 2018, appendix), smoothed and weighted labels included."""
    from ftbench import Training

    task = catalog.build("tasks", "digits-0-4", {})
    one, other = item(0, 1), item(1, 3)
    mixed = averaged(one, other, 0.3)
    assert np.allclose(
        mixed.features["pixel_values"], 0.3 * one.features["pixel_values"] + 0.7 * other.features["pixel_values"]
    )
    assert mixed.features["pixel_values"].dtype == mixed.label.dtype == np.float32
    outputs = type("Out", (), {"logits": torch.randn(1, 5, generator=torch.Generator().manual_seed(0))})
    labels = np.array([0, 1, 1, 3, 3, 3, 4, 2])
    for protocol in (
        {},
        {"label_smoothing": 0.2},
        {"class_weights": "balanced"},
        {"label_smoothing": 0.1, "class_weights": "balanced"},
    ):
        task = catalog.build("tasks", "digits-0-4", {})
        task.train_as(Training(steps=1, **protocol), labels)
        ones, others, both = (
            task.loss(outputs, {"labels": torch.tensor(label)}) for label in ([1], [3], mixed.label[None])
        )
        assert float(both) == pytest.approx(0.3 * float(ones) + 0.7 * float(others), rel=1e-6), protocol


def test_the_weights_of_a_mixture_follow_their_distribution():
    one, other = item(0, 0), item(1, 1)
    for alpha in (0.2, 1.0):
        rng = np.random.default_rng(0)
        shares = np.array([Mixup(alpha=alpha).mix(one, other, rng).label[0] for _ in range(2000)])
        variance = 1 / (4 * (2 * alpha + 1))
        assert abs(shares.mean() - 0.5) < 3 * np.sqrt(variance / 2000)
        assert shares.var() == pytest.approx(variance, rel=0.1)


def test_a_pasted_box_weighs_what_it_covers():
    one, other = item(0, 0), item(1, 1)
    before = one.features["pixel_values"].copy()
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(500):
        mixed = CutMix().mix(one, other, rng)
        pasted = (mixed.features["pixel_values"] == other.features["pixel_values"]).all(0)
        kept = (mixed.features["pixel_values"] == one.features["pixel_values"]).all(0)
        assert (pasted ^ kept).all()
        assert mixed.label.tolist() == pytest.approx([kept.mean(), pasted.mean(), 0, 0, 0], abs=1e-6)
        rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
        assert pasted.sum() == len(rows) * len(columns)
        shares.append(pasted.mean())
    assert np.array_equal(one.features["pixel_values"], before)
    assert min(shares) == 0
    assert max(shares) > 0.8
