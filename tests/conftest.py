"""What the tests share: the real plugins, tiny models of every architecture, suites of a few seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from ftbench import Plugins

from tests.support.in_process import run_in

ROOT = Path(__file__).parent.parent
EXAMPLES = Path(__file__).parent / "examples"
FTBENCH = Path(sys.executable).parent / "ftbench"


def pytest_addoption(parser):
    parser.addoption("--benchmarks", action="store_true", help="run the benchmarks too")


SPEECH = {"wav2vec2", "hubert", "whisper", "audio-spectrogram-transformer", "tiny-wav2vec2"}
SECOND_LOOKS = {"test_combine", "test_traps", "test_peft_family", "test_prompt", "test_testing"}
"""Modules whose tests on networks of speech, the slowest, wait for `make test-thorough`: `test_every_strategy` runs on all networks."""


def _waits(item):
    parameters = getattr(item, "callspec", None)
    names = {value for value in parameters.params.values() if isinstance(value, str)} if parameters else set()
    return item.path.stem in SECOND_LOOKS and bool(names & SPEECH)


def pytest_make_parametrize_id(config, val, argname):
    """Return the argument's name for bytes: an archive holds the time it was made, and workers must name tests alike."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config, items):
    for item in items:
        if _waits(item):
            item.add_marker(pytest.mark.thorough)
        if "benchmarks" in item.path.parts and not config.getoption("--benchmarks"):
            item.add_marker(pytest.mark.skip(reason="a benchmark: `make benchmarks`"))
    # Workers take file after file; a long one taken last would keep all others waiting.
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    os.environ["FTBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """On small tensors a second thread costs more than it gives."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def plugins():
    return Plugins.discover()


@pytest.fixture(scope="session")
def catalog(plugins):
    return plugins.catalog()


def _variables():
    """Give the environment, without what pytest and torch put there themselves."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "TORCH", "TRITON_", "KMP_"))
    }


@pytest.fixture(scope="session")
def _usual_variables(_cache):
    return _variables()


@pytest.fixture
def ftbench(tmp_path, _usual_variables):
    """Run the command line in a folder of its own: in this process, or in one of its own where a test set environment variables."""

    def run(*arguments, check=None, cwd=None, timeout=280, env=None):
        variables = {**_variables(), **(env or {})}
        if variables == _usual_variables:
            return run_in(cwd or tmp_path, *arguments, check=check)
        done = subprocess.run(
            [FTBENCH, *map(str, arguments)],
            cwd=cwd or tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **variables},
        )
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def inside(tmp_path, monkeypatch, capfd):
    """Run the command line in a folder of its own, in this process: the server that trials are forked from stays for the next."""
    from types import SimpleNamespace

    from ftbench.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments, check=None):
        monkeypatch.setattr(sys, "argv", ["ftbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        if check is not None:
            assert ended.value.code == check, out + err
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    return call


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty hub cache, here and for the commands that are run."""
    place = tmp_path / "hub-cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(place))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(place))
    return place


@pytest.fixture
def hub_server(hub_cache, monkeypatch):
    """A hub of one's own, for the commands that are run."""
    from tests.support.hub_server import HubServer

    server = HubServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield server
    server.close()


QUICK = 'meters = ["parameters", "time", "memory", "energy"]'
"""Those that take no time after scoring."""
TINY = """
name = "{name}"
seeds = {seeds}
profile = "smoke"
[training]
steps = {steps}
batch_size = 8
[machine]
threads = 1
[measure]
{measure}
[limits]
trial = "{limit}"
[[backbone]]
use = "tiny-vit"
[[task]]
use = "digits"
train_size = 40
validation_size = 20
test_size = 60
{strategies}
"""


@pytest.fixture
def tiny_suite(tmp_path):
    """Write a suite of a second a trial."""

    def write(strategies=("full", "frozen"), *, name="tiny", seeds="[0]", steps=6, limit="2m", extra="", measure=QUICK):
        text = "".join(f'[[strategy]]\nuse = "{s}"\n' if isinstance(s, str) else s[0] for s in strategies) + extra
        path = tmp_path / f"{name}.toml"
        path.write_text(
            TINY.format(name=name, seeds=seeds, steps=steps, limit=limit, strategies=text, measure=measure),
            encoding="utf-8",
        )
        return path

    return write


@pytest.fixture(scope="session")
def three_seeds(tmp_path_factory, _cache):
    """A finished run of two strategies over three seeds, made once for all workers; to be copied, not changed."""
    import fcntl

    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place
    with (place / "three-seeds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = place / "three-seeds"
        if not (folder / "done").exists():
            folder.mkdir(exist_ok=True)
            strategies = "".join(f'[[strategy]]\nuse = "{s}"\n' for s in ("full", "lora"))
            suite = folder / "tiny.toml"
            suite.write_text(
                TINY.format(measure="", name="tiny", seeds="[0, 1, 2]", steps=12, limit="2m", strategies=strategies)
            )
            run_in(folder, "run", suite, "--no-report", check=0)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Give a directory of a tiny random model of a `model_type`, with its processor, as save_pretrained writes it."""
    from tests.support.tiny_models import save

    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = save(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get
