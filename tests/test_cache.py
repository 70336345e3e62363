"""What goes wrong with the cache costs time, and changes nothing that is given."""

import json
import os
import shutil
import subprocess
import sys
import threading
from multiprocessing import get_context

import numpy as np
import pytest
from ftbench.cache import ENTRY, Arrays, Cache, Tensors, cache_limit
from ftbench.errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st

KEY = {"of": "squares", "up to": 5}


class Squares:
    """Makes squares, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"squares": np.arange(5) ** 2, "none": np.zeros((0, 3), np.float32)}


def asked(cache, make, key=KEY):
    found = cache.get("squares", key, make, Arrays())
    assert found.value["squares"].tolist() == [0, 1, 4, 9, 16]
    assert found.value["none"].shape == (0, 3)
    return found


def entry(cache, kind="squares"):
    (place,) = [place for place in (cache.folder / kind).iterdir() if "." not in place.name]
    return place


def test_an_entry_is_made_once_and_tells_what_making_it_took(tmp_path):
    cache, make = Cache(tmp_path), Squares()
    first, again, anew = asked(cache, make), asked(cache, make), asked(Cache(tmp_path), make)
    assert make.calls == 1
    assert [first.made, again.made, anew.made] == [True, False, False]
    assert first.seconds == again.seconds == anew.seconds > 0
    assert isinstance(again.value["squares"], np.memmap)
    assert sorted(place.name for place in entry(cache).parent.iterdir()) == [entry(cache).name], (
        "no lock and nothing half-written is left"
    )


def test_another_key_is_another_entry_and_a_change_of_what_was_read_is_not_written_back(tmp_path):
    cache, make = Cache(tmp_path), Squares()
    asked(cache, make).value["squares"][0] = 7
    asked(cache, make)
    asked(cache, make, {**KEY, "up to": 6})
    assert make.calls == 2


SPOILS = {
    "a byte turned over": lambda place: _turn(place / "squares.npy", -1),
    "a file cut short": lambda place: (place / "squares.npy").write_bytes((place / "squares.npy").read_bytes()[:-1]),
    "a file gone": lambda place: (place / "squares.npy").unlink(),
    "no entry file": lambda place: (place / ENTRY).unlink(),
    "half an entry file": lambda place: (place / ENTRY).write_text((place / ENTRY).read_text()[:40]),
    "an entry file of something else": lambda place: (place / ENTRY).write_text("[]"),
    "another time in the entry file": lambda place: (place / ENTRY).write_text(
        (place / ENTRY).read_text().replace('"seconds": ', '"seconds": 1')
    ),
    "a file in its place": lambda place: (shutil.rmtree(place), place.write_text("")),
    "an empty folder in its place": lambda place: (shutil.rmtree(place), place.mkdir()),
}


def _turn(path, number):
    content = bytearray(path.read_bytes())
    content[number] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_what_is_not_as_it_was_written_is_discarded_and_made_anew(tmp_path, spoil):
    cache, make = Cache(tmp_path), Squares()
    asked(cache, make)
    spoil(entry(cache))
    assert asked(cache, make).made
    assert not asked(cache, make).made
    assert make.calls == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bit_of_an_entry_can_turn_unnoticed(tmp_path_factory, data):
    cache, make = Cache(tmp_path_factory.mktemp("cache")), Squares()
    asked(cache, make)
    file = data.draw(st.sampled_from(sorted(entry(cache).iterdir(), key=lambda path: path.name)))
    content = bytearray(file.read_bytes())
    place = int(data.draw(st.floats(0, 1, exclude_max=True)) * (len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes(content))
    asked(cache, make)
    assert make.calls == 2


def test_an_entry_known_by_the_same_hash_but_another_key_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr("ftbench.cache.digest", lambda value: "0")
    cache, make = Cache(tmp_path), Squares()
    asked(cache, make)
    asked(cache, make, {"of": "others"})
    assert make.calls == 2


def test_what_a_dead_builder_left_half_written_is_neither_read_nor_kept(tmp_path):
    code = (
        "import sys, os; from pathlib import Path; from ftbench.cache import Cache, Arrays\n"
        "class Dies(Arrays):\n"
        "    def write(self, value, folder):\n"
        "        super().write(value, folder); os._exit(1)\n"
        "import numpy as np\n"
        "key = {'of': 'squares', 'up to': 5}\n"
        "Cache(Path(sys.argv[1])).get('squares', key, lambda: {'squares': np.ones(5)}, Dies())"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == 1
    cache, make = Cache(tmp_path), Squares()
    assert len(list((cache.folder / "squares").iterdir())) == 2, "a folder on its way in, and a lock"
    assert asked(cache, make).made
    assert [place.name for place in (cache.folder / "squares").iterdir()] == [entry(cache).name]


def test_sweeping_removes_orphans_and_keeps_what_running_processes_write(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    cache = Cache(tmp_path)
    kind = cache.folder / "squares"
    (kind / f"0.new.{dead.pid}.a").mkdir(parents=True)
    (kind / f"0.new.{os.getpid()}.a").mkdir()
    (kind / "0.lock").touch()
    cache.sweep()
    assert [path.name for path in kind.iterdir()] == [f"0.new.{os.getpid()}.a"]


def _build(folder, started, results):
    def make():
        started.set()
        threading.Event().wait(0.4)
        return {"squares": np.arange(5) ** 2, "made by": np.array([os.getpid()])}

    found = Cache(folder).get("squares", KEY, make, Arrays())
    results.put((found.made, int(found.value["made by"][0])))


def test_of_two_builders_one_builds_and_the_other_waits_and_reads(tmp_path):
    context = get_context("fork")
    started, results = context.Event(), context.Queue()
    builders = [context.Process(target=_build, args=(tmp_path, started, results)) for _ in range(3)]
    builders[0].start()
    started.wait(60)
    for builder in builders[1:]:
        builder.start()
    found = sorted(results.get(timeout=60) for _ in builders)
    for builder in builders:
        builder.join(10)
    assert [made for made, _ in found] == [False, False, True]
    assert len({by for _, by in found}) == 1


def test_who_waits_gives_signs_and_builds_when_the_builder_dies(tmp_path):
    context = get_context("fork")
    started, results = context.Event(), context.Queue()
    builder = context.Process(target=_build, args=(tmp_path, started, results))
    builder.start()
    started.wait(60)
    signs = []

    def sign():
        signs.append(1)
        if len(signs) == 2:
            builder.kill()

    make = Squares()
    assert Cache(tmp_path).get("squares", KEY, make, Arrays(), waiting=sign).made
    assert make.calls == 1
    assert len(signs) >= 2


def test_where_no_lock_can_be_had_one_builds_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    cache, make = Cache(tmp_path), Squares()
    assert asked(cache, make).made
    assert not asked(cache, make).made


def test_a_full_disk_costs_only_time_and_leaves_nothing_behind(tmp_path, monkeypatch):
    class Full(Arrays):
        def write(self, value, folder):
            super().write(value, folder)
            raise OSError(28, "No space left on device")

    cache, make = Cache(tmp_path), Squares()
    for calls in (1, 2):
        found = cache.get("squares", KEY, make, Full())
        assert found.value["squares"].tolist() == [0, 1, 4, 9, 16]
        assert found.not_kept == "No space left on device"
        assert make.calls == calls
    assert not list((cache.folder / "squares").iterdir())


def test_weights_on_a_full_disk_are_used_and_not_kept(tmp_path, monkeypatch):
    import resource

    import torch

    weights = {"weight": torch.arange(200_000, dtype=torch.float32)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        found = Cache(tmp_path).get("weights", KEY, lambda: weights, Tensors())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.not_kept
    assert torch.equal(found.value["weight"], weights["weight"])
    assert not list((tmp_path / "entries" / "weights").iterdir())


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    make = Squares()
    assert asked(Cache(blocked), make).not_kept
    assert asked(Cache(blocked), make).made


def test_what_making_raises_is_raised_and_the_next_may_try(tmp_path):
    cache = Cache(tmp_path)

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.get("squares", KEY, fail, Arrays())
    assert asked(cache, Squares()).made


def test_tensors_come_back_bit_by_bit_whatever_they_shared(tmp_path):
    import torch

    base = torch.randn(4, 3)
    value = {
        "base": base,
        "view": base.T,
        "half": base.to(torch.bfloat16),
        "whole": torch.tensor([1, 2]),
        "yes": torch.tensor(True),
    }
    cache = Cache(tmp_path)
    for _ in range(2):
        found = cache.get("tensors", KEY, lambda: value, Tensors()).value
        assert list(found) == list(value)
        assert all(torch.equal(found[name], value[name]) and found[name].dtype == value[name].dtype for name in value)
        found["base"].zero_()


def test_those_longest_unused_are_let_go_until_the_rest_fits(tmp_path):
    cache = Cache(tmp_path)
    for number in range(4):
        cache.get("numbers", number, lambda n=number: {"x": np.full(1000, n)}, Arrays())
        os.utime(
            next(place for place in (cache.folder / "numbers").iterdir() if _is(place, number)) / ENTRY,
            (number, number),
        )
    cache.get("numbers", 0, Squares(), Arrays())
    size = cache.size
    assert cache.evict(limit=size).entries == 0
    gone = cache.evict(limit=size - 1)
    assert gone.entries == 1
    assert cache.size == size - gone.bytes
    left = [number for number in range(4) if any(_is(place, number) for place in (cache.folder / "numbers").iterdir())]
    assert left == [0, 2, 3], "1 was used before them; 0 was just read"


def _is(place, number):
    return json.loads((place / ENTRY).read_text().splitlines()[0])["key"] == number


def test_a_new_entry_makes_room_for_itself_and_stays(tmp_path):
    cache = Cache(tmp_path, limit=5000)
    for number in range(3):
        cache.get("numbers", number, lambda: {"x": np.arange(500)}, Arrays())
    assert cache.size <= 5000
    make = Squares()
    assert Cache(tmp_path, limit=0).get("squares", KEY, make, Arrays()).value["squares"].tolist() == [0, 1, 4, 9, 16]
    assert not asked(cache, make).made


def test_an_entry_let_go_under_a_reader_stays_readable(tmp_path):
    cache = Cache(tmp_path)
    found = asked(cache, Squares())
    assert cache.evict(limit=0).entries == 1
    assert found.value["squares"].tolist() == [0, 1, 4, 9, 16]


def test_the_limit_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("FTBENCH_CACHE_LIMIT", "50GB")
    assert cache_limit() == 50 * 10**9
    monkeypatch.setenv("FTBENCH_CACHE_LIMIT", "much")
    with pytest.raises(UserError, match="FTBENCH_CACHE_LIMIT: 'much' is not a size"):
        cache_limit()


def test_gc_lets_go_what_is_too_much_and_says_so(tmp_path, ftbench):
    cache = Cache(tmp_path / "cache")
    for number in range(3):
        cache.get("numbers", number, lambda n=number: {"x": np.full(1000, n)}, Arrays())
    env = {"FTBENCH_CACHE": str(tmp_path / "cache")}
    assert "would remove" in ftbench("gc", "--cache", "--keep", "0", "--dry-run", check=0, env=env).stdout
    assert cache.size > 24_000
    assert "removed 0 cache entries" in ftbench("gc", "--cache", check=0, env=env).stdout
    assert "removed 3 cache entries" in ftbench("gc", "--cache", "--keep", "0", check=0, env=env).stdout
    assert cache.size == 0
    assert "--keep: 'much' is not a size" in ftbench("gc", "--cache", "--keep", "much", check=2, env=env).stderr
    assert "give a run directory or --cache" in ftbench("gc", check=2, env=env).stderr
