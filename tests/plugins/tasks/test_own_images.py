"""A user's own images: every mode, orientation and format as viewers show them."""

import numpy as np
import pytest
from ftbench import UserError
from PIL import Image

from ftbench_plugins.vision.classification import SUFFIXES, ImageClassification
from ftbench_plugins.vision.pixels import eight_bit

RAMP = np.linspace(0, 1, 32 * 24).reshape(24, 32)
"""Brightness from black to white, [rows, columns]."""
GREY = np.rint(RAMP * 255)
SCALES = {
    "1": None,
    "L": 255,
    "I;16": 65535,
    "I;16B": 65535,
    "I;16L": 65535,
    "I": (255, 65535, 2**31 - 1),
    "F": (1, 255, 65535),
}
"""Mode of grey images → the largest values that they may have."""


def read(path, mode="L"):
    """Read a file like the task does."""
    return ImageClassification(str(path.parent))._read(str(path), mode)


def ramps():
    for mode, scales in SCALES.items():
        for scale in scales if isinstance(scales, tuple) else (scales,):
            yield mode, scale


def grey(mode, scale):
    """Make a ramp in a mode."""
    if mode == "1":
        return Image.fromarray((RAMP > 0.5) * np.uint8(255)).convert("1", dither=Image.Dither.NONE)
    kinds = {"L": "u1", "I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I": "i4", "F": "f4"}
    values = (RAMP * scale).astype(np.float64)
    values = values.astype(kinds[mode]) if mode == "F" else np.rint(values).astype(kinds[mode])
    return Image.frombytes(mode, (32, 24), values.tobytes())


@pytest.mark.parametrize(("mode", "scale"), [*ramps()])
@pytest.mark.parametrize("wanted", ["L", "RGB"])
def test_grey_of_every_depth_is_scaled_by_its_range(mode, scale, wanted):
    found = np.asarray(eight_bit(grey(mode, scale), wanted), float)
    right = (RAMP > 0.5) * 255.0 if mode == "1" else GREY
    assert found.shape == ((24, 32, 3) if wanted == "RGB" else (24, 32))
    assert np.abs(found - (right if wanted == "L" else right[..., None])).max() <= 1


@pytest.mark.parametrize(
    ("name", "mode"), [("a.png", "I;16"), ("a.tif", "I;16"), ("a.tif", "I"), ("a.tif", "F"), ("a.pgm", "I")]
)
def test_files_of_more_than_eight_bits_are_read_like_their_pixels(name, mode, tmp_path):
    scale = 1 if mode == "F" else 65535
    grey(mode, scale).save(tmp_path / name)
    assert np.abs(np.asarray(read(tmp_path / name), float) - GREY).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "P"])
def test_every_mode_of_colours_keeps_them(mode):
    """The oracle is Pillow's own conversion there and back, which rounds."""
    colours = Image.merge("RGB", [Image.fromarray(np.uint8(one)) for one in (GREY, 255 - GREY, GREY // 2)])
    if mode == "LAB":
        from PIL import ImageCms

        kinds = [ImageCms.createProfile(kind) for kind in ("sRGB", "LAB")]
        made = ImageCms.profileToProfile(colours, *kinds, outputMode="LAB")
        assert np.asarray(eight_bit(made, "RGB")).shape == (24, 32, 3)
        return
    found = np.asarray(eight_bit(colours.convert(mode), "RGB"), float)
    assert np.abs(found - np.asarray(colours, float)).mean() < (30 if mode == "P" else 3)


def drawing(mode):
    """Make a black square on transparent ground."""
    alpha = np.zeros((24, 32), np.uint8)
    alpha[8:16, 8:16] = 255
    image = Image.merge("RGBA", [*[Image.fromarray(np.zeros_like(alpha))] * 3, Image.fromarray(alpha)])
    if mode == "P":
        index = Image.fromarray((alpha > 0).astype(np.uint8), "L").convert("P")
        index.putpalette([0, 0, 0] * 2)
        index.info["transparency"] = 0
        return index
    if mode in ("L", "RGB", "I;16"):
        value = {"L": (7, 0), "RGB": (7, 0), "I;16": (7, 0)}[mode]
        values = np.where(alpha > 0, value[1], value[0])
        made = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
        made = made.convert("RGB") if mode == "RGB" else made
        made.info["transparency"] = (7, 7, 7) if mode == "RGB" else 7
        return made
    if mode == "PA":
        made = Image.frombytes("PA", (32, 24), np.stack([alpha > 0, alpha], 2).astype(np.uint8).tobytes())
        made.putpalette([9, 9, 9, 0, 0, 0])
        return made
    return image.convert("LA").convert("La") if mode == "La" else image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La", "P", "L", "RGB", "I;16"])
def test_a_drawing_on_transparent_ground_is_on_white(mode):
    found = np.asarray(eight_bit(drawing(mode), "L"))
    assert found[0, 0] == 255
    assert found[10, 10] == 0
    assert (found == 0).sum() == 64


def test_half_transparent_pixels_are_mixed_with_white():
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert np.asarray(eight_bit(image, "L"))[0, 0] == pytest.approx(127, abs=1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_every_orientation_is_turned_as_viewers_do(orientation, name, tmp_path):
    """The oracle is the definition of the tag: where the first row and the first column are shown."""
    shown = np.zeros((24, 32), np.uint8)
    shown[:8, :8], shown[:8, 24:] = 255, 128
    turned = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.T,
        6: np.rot90(shown, 1),
        7: shown[::-1, ::-1].T,
        8: np.rot90(shown, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name.endswith("webp") else {"quality": 95} if name.endswith("jpg") else {}
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / name, exif=exif, **options)
    found = np.asarray(read(tmp_path / name), float)
    assert found.shape == shown.shape
    assert np.abs(found - shown).mean() < 3


def test_real_numbers_may_be_negative_but_must_be_finite():
    signed = Image.fromarray((2 * RAMP - 1).astype(np.float32))
    assert np.abs(np.asarray(eight_bit(signed, "L"), float) - GREY).max() <= 1
    with pytest.raises(ValueError, match="no finite numbers"):
        eight_bit(Image.fromarray(np.full((2, 2), np.nan, np.float32)), "L")


WRITABLE = ".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .webp .tif .tiff .avif .jp2 .j2k .pbm .pgm .ppm .pnm .tga .ico .icns .pcx .dds .sgi .rgb .bw .qoi .mpo"


def test_every_listed_format_is_read_from_a_folder(catalog, tmp_path):
    for number in range(6):
        image = Image.fromarray(np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8))
        for suffix in WRITABLE.split():
            path = tmp_path / "ab"[number % 2] / f"{number}{suffix}"
            path.parent.mkdir(exist_ok=True)
            (image.convert("L") if suffix == ".bw" else image).save(path)
    task = ImageClassification(str(tmp_path))
    assert len(task.tables["data"]) == 6 * len(WRITABLE.split())
    assert set(WRITABLE.split()) <= set(SUFFIXES)
    for row in task.tables["data"].rows(range(0, len(task.tables["data"]), 5), ["path"]):
        assert np.asarray(task._read(row["path"], "RGB")).std() > 10


def test_a_damaged_image_and_an_animation_are_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"none")
    frames = [Image.new("L", (4, 4), value) for value in (0, 255)]
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    task = ImageClassification(str(tmp_path))
    with pytest.raises(UserError, match=r"a\.png: cannot be read as an image: "):
        task._read(str(tmp_path / "a.png"), "RGB")
    processor = type("Colours", (), {"image_mean": (0, 0, 0)})
    (found,) = task.inspect([{"path": str(tmp_path / "b.gif")}], processor)
    assert "image of several frames" in found.problems
