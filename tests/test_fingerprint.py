"""Fingerprints: what changes an id, and what does not."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from ftbench import fingerprint
from ftbench.environment import environment
from ftbench.errors import UserError
from ftbench.fingerprint import (
    code_hash,
    core_sha256,
    digest,
    file_sha256,
    files_below,
    folder_sha256,
    read_sha256,
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a strategy, a helper it imports, and a module it does not import."""
    folder = tmp_path / "hashed"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "strategy.py").write_text(
        '"""One."""\nfrom .helper import double\n\nclass A:\n    """Two."""\n    x = double(1)  # three\n'
    )
    (folder / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (folder / "stranger.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "hashed"]:
        del sys.modules[name]


def hashed():
    return code_hash([import_module("hashed.strategy").A])


def test_comments_docstrings_and_strangers_change_no_hash(package):
    before = hashed()
    (package / "strategy.py").write_text("from .helper import double\n\n\nclass A:\n    x = double(1)\n")
    (package / "stranger.py").write_text("y = 2\n")
    assert hashed() == before


def test_the_names_of_a_tasks_scores_change_no_hash(package):
    before = hashed()
    named = '    def metric_names(self):\n        return ("accuracy",)\n'
    (package / "strategy.py").write_text(f"from .helper import double\n\nclass A:\n    x = double(1)\n\n{named}")
    assert hashed() == before


def test_code_changes_it_also_in_a_module_that_is_imported(package):
    before = hashed()
    (package / "helper.py").write_text("def double(x):\n    return x + x\n")
    after = hashed()
    (package / "strategy.py").write_text("from .helper import double\n\nclass A:\n    x = double(2)\n")
    assert len({before, after, hashed()}) == 3


@pytest.mark.parametrize(("imported", "changes"), [("from . import helper", False), ("from . import factor", True)])
def test_the_rest_of_a_package_counts_only_if_something_is_taken_from_it(imported, changes, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"nested_{changes}".lower()
    package = tmp_path / name / "methods"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .other import factor\n")
    (package / "other.py").write_text("factor = 1\n")
    (package / "helper.py").write_text("")
    (package / "strategy.py").write_text(f"{imported}\n\nclass A:\n    pass\n")
    strategy = import_module(f"{name}.methods.strategy").A
    before = code_hash([strategy])
    (package / "other.py").write_text("factor = 22\n")
    assert (code_hash([strategy]) != before) is changes


def test_hashing_a_strategy_imports_none_of_its_torch_parts():
    import subprocess

    code = (
        "import sys; from ftbench.fingerprint import code_hash; from ftbench_plugins.strategies.ewc import EWC; "
        "from ftbench_plugins.strategies.adapter import Adapter; code_hash([EWC, Adapter]); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_a_files_hash_is_remembered_and_follows_the_file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    first = file_sha256(path)
    assert first == read_sha256(path) == file_sha256(path)
    path.write_bytes(b"two!")
    assert file_sha256(path) == read_sha256(path) != first


def test_canonical_json_does_not_care_about_the_order_of_keys():
    assert digest({"a": 1, "b": [1.5, "x"]}) == digest({"b": [1.5, "x"], "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        digest(float("nan"))


def test_the_environment_names_software_and_hardware_and_no_host_or_user():
    import getpass
    import json
    import platform

    found = json.dumps(environment("cpu"))
    assert '"torch"' in found
    assert platform.node() not in found
    assert f'"{getpass.getuser()}"' not in found


@pytest.fixture
def core(tmp_path, monkeypatch):
    """A package with two folders that replaces ftbench itself."""
    for room in ("suite", "training"):
        (tmp_path / "core" / room).mkdir(parents=True)
        (tmp_path / "core" / room / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path / "core")
    return tmp_path / "core"


@pytest.mark.parametrize("room", ["suite", "training", "new"])
def test_a_change_in_any_room_of_the_core_changes_the_key_of_what_it_computes(core, room):
    before = core_sha256()
    assert before == core_sha256()
    (core / room).mkdir(exist_ok=True)
    (core / room / "module.py").write_text("x = 2\n")
    assert core_sha256() != before


def test_the_core_is_the_whole_package_and_both_caches_go_by_it(core, monkeypatch, tmp_path):
    from types import SimpleNamespace

    from ftbench.cache import Cache
    from ftbench.training.accounting.configuration import _identity
    from ftbench.training.shared_work import Sharing

    def keys():
        trial = SimpleNamespace(threads=1, code="code", content={})
        sharing = Sharing(trial, "cpu", Cache(tmp_path), phases=None, used=[], heartbeat=lambda: None)
        return sharing._common, _identity(trial, "cpu")

    before = keys()
    (core / "suite" / "module.py").write_text("x = 2\n")
    after = keys()
    assert before[0] != after[0]
    assert before[1] != after[1]
    monkeypatch.undo()
    assert {path.name for path in fingerprint.PACKAGE.iterdir()} >= {"cli", "schemas", "fingerprint.py"}


def test_swapped_files_of_one_size_and_one_date_change_the_hash(tmp_path):
    import os

    for name in ("cat/1.bmp", "cat/2.bmp", "dog/1.bmp", "one.csv", "two.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name[:3])
        os.utime(tmp_path / name, (1, 1))
    folder, file = folder_sha256(tmp_path, (".bmp",)), file_sha256(tmp_path / "one.csv")
    assert folder_sha256(tmp_path, (".bmp",)) == folder

    def swap(one, other):
        (tmp_path / one).rename(tmp_path / "aside")
        (tmp_path / other).rename(tmp_path / one)
        (tmp_path / "aside").rename(tmp_path / other)

    swap("cat/1.bmp", "dog/1.bmp")
    swap("one.csv", "two.csv")
    assert folder_sha256(tmp_path, (".bmp",)) != folder
    assert file_sha256(tmp_path / "one.csv") != file
    # Written in place: the inode stays, and the date is put back.
    content = folder_sha256(tmp_path, (".bmp",))
    (tmp_path / "cat/2.bmp").write_text("dog")
    os.utime(tmp_path / "cat/2.bmp", (1, 1))
    assert folder_sha256(tmp_path, (".bmp",)) != content


def test_a_folder_with_links_is_read_once(tmp_path):
    import os

    for name in ("all/cat/1.png", "all/cat/2.png", "all/dog/1.png", "elsewhere/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    folder = tmp_path / "all"
    plain = folder_sha256(folder, (".png",))
    links = {"cat/loop": ".", "cat/up": "..", "a_dog": "dog", "self": "self", "nowhere": "missing"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")
    files, others = files_below(folder)
    assert [str(path.relative_to(folder)) for path in files] == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert {str(path.relative_to(folder)) for path in others} == {*links, "pipe.png"}
    assert folder_sha256(folder, (".png",)) == plain
    (folder / "more").symlink_to("../elsewhere")
    (folder / "3.png").symlink_to("../elsewhere/3.png")
    assert len(files_below(folder)[0]) == 5


def test_a_folder_of_too_many_files_or_that_is_missing_is_a_users_error(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "MAX_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}").write_text("")
    with pytest.raises(UserError, match="has more than 2 files; choose a smaller folder"):
        files_below(tmp_path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        folder_sha256(tmp_path / "none", (".png",))


@pytest.mark.parametrize("name", ["/proc", "/proc/self", "/sys"])
def test_the_kernels_file_systems_are_not_read(name, tmp_path):
    (tmp_path / "one.png").write_text("")
    (tmp_path / "link").symlink_to(name)
    assert files_below(tmp_path) == ([tmp_path / "one.png"], [tmp_path / "link"])
    assert files_below(Path(name))[0] == []
