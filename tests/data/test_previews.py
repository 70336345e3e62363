"""Previews of test items: only if the data are those of the trial."""

import base64
import io
import wave

import pytest
from ftbench.data.previews import MAX_MEDIA, previews_of
from ftbench.plugins import Plugins, Selection
from PIL import Image


@pytest.fixture(scope="module")
def catalog():
    return Plugins.discover(Selection()).catalog()


def part(catalog, use, **options):
    built = catalog.build("tasks", use, options)
    return {"use": use, "options": options, "fingerprint": dict(built.fingerprint())}, built.splits(0).test


def content(exhibit):
    return base64.b64decode(exhibit.content.partition(",")[2])


def test_a_text_is_shown_as_it_is_and_all_lengths_are_known(catalog):
    task, test = part(catalog, "word-sentiment", test_size=20)
    found = previews_of(catalog, task, 0, [test[3].id])
    assert found.shown[test[3].id].content == test[3].value
    assert found.lengths == {example.id: len(example.value) for example in test}


def test_an_image_is_shown_small_and_no_more_than_a_few(catalog):
    task, test = part(catalog, "digits", test_size=20)
    found = previews_of(catalog, task, 0, [example.id for example in test])
    assert len(found.shown) == MAX_MEDIA
    with Image.open(io.BytesIO(content(found.shown[test[0].id]))) as image:
        assert max(image.size) == 96


def test_a_sound_is_a_wave_file_of_its_length(catalog):
    task, test = part(catalog, "spoken-commands", test_size=20)
    found = previews_of(catalog, task, 0, [test[0].id])
    with wave.open(io.BytesIO(content(found.shown[test[0].id]))) as stream:
        assert (stream.getframerate(), stream.getnframes()) == (16_000, len(test[0].value))


def test_data_that_changed_since_are_not_shown(catalog):
    task, test = part(catalog, "digits", test_size=20)
    found = previews_of(catalog, {**task, "fingerprint": {"digits": "other"}}, 0, [test[0].id])
    assert (dict(found.shown), found.reason) == ({}, "the data have changed since the run")


def test_data_that_are_gone_are_named_and_not_shown(catalog, tmp_path):
    options = {"data": str(tmp_path / "gone.csv")}
    found = previews_of(catalog, {"use": "text-classification", "options": options, "fingerprint": {}}, 0, ["gone-0"])
    assert not found.shown
    assert found.reason.startswith("the data cannot be read: ")


@pytest.mark.parametrize("place", ["/proc/self", "/", "..", "../other", "/**/*", "sub/../../other", "link"])
def test_a_strangers_record_has_data_from_elsewhere_not_read(place, catalog, tmp_path, monkeypatch):
    home = tmp_path / "home"
    for folder in (home / "own" / "a", home / "own" / "b", tmp_path / "other" / "a"):
        folder.mkdir(parents=True)
        for n in range(8):
            Image.new("L", (4, 4), n).save(folder / f"{n}.png")
    (home / "link").symlink_to("../other")
    monkeypatch.chdir(home)
    task = {"use": "image-classification", "options": {"data": place}, "fingerprint": {}}
    found = previews_of(catalog, task, 0, ["data-0"], within=home)
    assert found.reason.startswith(
        "data outside the working directory are read only if a run on this machine has read them"
    )
    own, test = part(catalog, "image-classification", data="own")
    assert previews_of(catalog, own, 0, [test[0].id], within=home).shown
    assert previews_of(catalog, {**own, "fingerprint": {"data": "no"}}, 0, [test[0].id], within=home).reason == (
        "the data have changed since the run"
    )


def test_data_elsewhere_are_not_even_looked_at_unless_they_were_read_here(catalog, tmp_path, monkeypatch):
    """A run may be a stranger's: it names `/proc`, a device or a home directory as its data."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "own.csv").write_text("text,label\n" + "".join(f"word {n},{n % 2}\n" for n in range(60)))
    for use, place in (
        *((use, place) for use in ("text-classification", "image-classification") for place in ("/proc", "/", "~")),
        ("text-classification", "/dev/zero"),
        ("text-classification", str(tmp_path / "own.csv")),
    ):
        task = {"use": use, "options": {"data": place}, "fingerprint": {}}
        with monkeypatch.context() as patched:
            patched.setattr("ftbench.data.user_data.UserData.fingerprint", None)
            found = previews_of(catalog, task, 0, ["own-0"], within=inside)
        assert found.reason.startswith("data outside the working directory are read only if")
    task, test = part(catalog, "text-classification", data=str(tmp_path / "own.csv"))
    found = previews_of(catalog, task, 0, [test[0].id], within=inside)
    assert found.shown[test[0].id].content == f"word {test[0].id.removeprefix('data-')}"
