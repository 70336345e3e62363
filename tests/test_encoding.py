"""Encoded splits on disk: made once, checked, rebuilt where they are torn."""

import numpy as np
import pytest
from ftbench.encoding import prepare_data


@pytest.fixture
def counted(catalog, monkeypatch):
    """A task whose encodings are counted, a backbone, its processor, and what gives their options."""
    task = catalog.build("tasks", "digits", {"train_size": 40, "validation_size": 20, "test_size": 60})
    backbone = catalog.build("backbones", "tiny-vit", {})
    processor = backbone.load(10).processor
    calls = []
    original = type(task).encode
    monkeypatch.setattr(type(task), "encode", lambda self, *a: calls.append(1) or original(self, *a))
    return task, backbone, processor, calls, catalog.options


def prepared(counted, cache):
    task, backbone, processor, _, options = counted
    return prepare_data(task, backbone, processor, split_seed=0, cache=cache, options=options)


def equal(one, other):
    return one.split_hash == other.split_hash and all(
        one.encoded[name].ids == other.encoded[name].ids
        and np.array_equal(one.encoded[name].labels, other.encoded[name].labels)
        and np.array_equal(one.encoded[name].columns["pixel_values"], other.encoded[name].columns["pixel_values"])
        for name in one.encoded
    )


def test_a_split_is_encoded_once_and_read_back_equal(counted, tmp_path):
    first = prepared(counted, tmp_path)
    again = prepared(counted, tmp_path)
    assert equal(first, again)
    assert len(counted[3]) == 3
    assert isinstance(again.encoded["train"].columns["pixel_values"], np.memmap)


def test_a_torn_or_missing_file_is_noticed_and_the_entry_built_anew(counted, tmp_path):
    first = prepared(counted, tmp_path)
    for spoil in (lambda p: p.write_bytes(p.read_bytes()[:-1]), lambda p: p.unlink(), lambda p: p.write_bytes(b"x" * p.stat().st_size)):
        (folder,) = [f for f in (tmp_path / "encoded").iterdir() if "." not in f.name]
        spoil(folder / "train.column.pixel_values.npy")
        assert equal(prepared(counted, tmp_path), first)
    assert len(counted[3]) == 12


def test_a_cache_that_cannot_be_written_costs_only_time(counted, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert equal(prepared(counted, blocked), prepared(counted, tmp_path))
