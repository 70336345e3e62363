"""Encoded splits: computed once, verified, and rebuilt if they are damaged."""

import numpy as np
import pytest
from ftbench import Loader
from ftbench.api.protocol import Training
from ftbench.data.chunked import ChunkedEncoded
from ftbench.data.encoding import prepare_data


@pytest.fixture
def counted(catalog, monkeypatch):
    """A task whose encodings are counted, a backbone, its processor, and a function that returns their options."""
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
    first = prepared(counted, tmp_path / "apart")
    prepared(counted, tmp_path)
    for spoil in (
        lambda p: p.write_bytes(p.read_bytes()[:-1]),
        lambda p: p.unlink(),
        lambda p: p.write_bytes(b"x" * p.stat().st_size),
    ):
        (folder,) = [f for f in (tmp_path / "entries" / "encoded").iterdir() if "." not in f.name]
        spoil(folder / "train.column.pixel_values.npy")
        assert equal(prepared(counted, tmp_path), first)
    assert len(counted[3]) == 15


def test_a_cache_that_cannot_be_written_costs_only_time(counted, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert equal(prepared(counted, blocked), prepared(counted, tmp_path))


def test_a_large_split_is_encoded_chunk_by_chunk_and_each_chunk_once_for_all(counted, tmp_path, monkeypatch):
    monkeypatch.setattr("ftbench.data.encoding.LARGE", 100)
    monkeypatch.setattr("ftbench.data.chunked.CHUNK", 16)
    monkeypatch.setattr("ftbench.data.chunked.MAX_IN_MEMORY", 1)
    task, _, _, calls, _ = counted
    first = prepared(counted, tmp_path)
    assert not calls
    batch = task.collate(first.encoded["train"], [0, 17, 1])
    assert len(calls) == 2
    again = prepared(counted, tmp_path)
    assert first.split_hash == again.split_hash
    same = task.collate(again.encoded["train"], [0, 17, 1])
    assert len(calls) == 2
    assert all((batch[name] == same[name]).all() for name in batch)
    list(Loader(again.encoded["train"], task, Training(epochs=3, batch_size=8), seed=0))
    assert len(calls) == 3


def test_a_split_of_few_but_large_examples_is_encoded_chunk_by_chunk_too(counted, tmp_path, monkeypatch):
    monkeypatch.setattr("ftbench.data.encoding.CHUNK", 16)
    monkeypatch.setattr("ftbench.data.encoding.LARGE_BYTES", 120 * 28 * 28 * 4)
    assert not isinstance(prepared(counted, tmp_path / "just").encoded["train"], ChunkedEncoded)
    monkeypatch.setattr("ftbench.data.encoding.LARGE_BYTES", 120 * 28 * 28 * 4 - 1)
    assert isinstance(prepared(counted, tmp_path / "above").encoded["train"], ChunkedEncoded)


def test_chunks_hold_what_the_whole_holds(counted, tmp_path, monkeypatch):
    task = counted[0]
    whole = prepared(counted, tmp_path / "whole")
    monkeypatch.setattr("ftbench.data.encoding.LARGE", 100)
    monkeypatch.setattr("ftbench.data.chunked.CHUNK", 16)
    parts = prepared(counted, tmp_path / "parts")
    assert parts.split_hash == whole.split_hash
    assert equal(parts, whole)
    for split in whole.encoded:
        one, other = (task.collate(prepared.encoded[split], [5, 3, 19]) for prepared in (whole, parts))
        assert all((one[name] == other[name]).all() for name in one)
        assert parts.encoded[split].units_of([5, 3]).tolist() == whole.encoded[split].units_of([5, 3]).tolist()


def test_a_torn_chunk_is_encoded_anew(counted, tmp_path, monkeypatch):
    monkeypatch.setattr("ftbench.data.encoding.LARGE", 100)
    task, _, _, calls, _ = counted
    task.collate(prepared(counted, tmp_path).encoded["train"], [0])
    (chunk,) = tmp_path.rglob("chunk.npz")
    for spoil in (lambda p: p.write_bytes(p.read_bytes()[:100]), lambda p: p.write_bytes(b""), lambda p: p.unlink()):
        spoil(chunk)
        before = len(calls)
        task.collate(prepared(counted, tmp_path).encoded["train"], [0])
        assert len(calls) == before + 1


def test_a_split_with_nothing_in_it_is_a_mistake(counted, tmp_path, monkeypatch):
    from ftbench import Splits, UserError

    task = counted[0]
    splits = task.splits(0)
    monkeypatch.setattr(type(task), "splits", lambda self, seed: Splits(splits.train, splits.validation, []))
    with pytest.raises(UserError, match="no example is left for the test split"):
        prepared(counted, tmp_path)
