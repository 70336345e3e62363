"""The real nvidia-ml-py, driven through `ftbench run` by a library built here: two cards, and every way they can fail."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ftbench.api.measurement import disturbances
from ftbench.notebook import read_run

pytestmark = pytest.mark.thorough

HERE = Path(__file__).parent
MIB = 2**20
DEVICE = (
    "peak_device_memory",
    "energy",
    "train_energy",
    "mean_power",
    "idle_power",
    "sm_utilisation",
    "sm_clock",
    "peak_temperature",
    "throttled_share",
)


def build(folder, *options):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build a libnvidia-ml.so.1 with")
    folder.mkdir(exist_ok=True)
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        *options,
        "-o",
        folder / "libnvidia-ml.so.1",
        HERE / "nvidia_ml.c",
    ]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def cards(tmp_path, library, monkeypatch):
    """Two cards; gives what puts a word into their state."""
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("FAKE_NVML", str(state))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{library}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def tell(name, text=""):
        path = state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
        return state

    return tell


@pytest.fixture
def trials(ftbench, tiny_suite, tmp_path, cards):
    """Run trials of a suite; gives their records, and what the command said."""

    def run(seeds="[0]", check=0, strategies=("frozen",)):
        suite = tiny_suite(strategies, seeds=seeds, steps=2)
        done = ftbench("-p", HERE / "stand_in.py", "run", suite, check=check)
        return read_run(tmp_path / "runs" / "tiny"), done.stdout + done.stderr

    return run


def reading(record, name):
    return record.measurement(name)


def test_two_cards_run_two_trials_side_by_side_each_metered_on_its_own(trials, cards):
    cards("seconds", "2")
    records, _ = trials("[0, 1]")
    began = sorted(r.provenance["started"] for r in records)
    ended = sorted(r.provenance["finished"] for r in records)
    assert began[1] < ended[0], "they ran one after the other"
    by_power = {round(reading(r, "mean_power").value): r for r in records}
    assert set(by_power) == {100, 200}
    for card, power in enumerate((100, 200)):
        record = by_power[power]
        assert record.status == "ok"
        memory = reading(record, "peak_device_memory")
        assert (memory.value, memory.scope) == ((1000 + 1000 * card) * MIB, "process"), (
            "evaluation is not in it, nor the other trial"
        )
        assert reading(record, "energy").value == pytest.approx(power * wall(record), rel=0.2)
        assert reading(record, "energy").flags == ("short window",)
        assert 1.9 * power < reading(record, "train_energy").value < reading(record, "energy").value
        assert reading(record, "idle_power").value == power
        assert reading(record, "sm_utilisation").value == pytest.approx(0.8)
        assert reading(record, "sm_clock").value == 1.41e9
        assert reading(record, "peak_temperature").value == 55 + card
        assert reading(record, "throttled_share").value == 0
        assert reading(record, "sampling_interval").value < 0.3
        assert 0 < reading(record, "sampling_cost").value < 0.5
        over_time = {one.name: max(value for _, value in one.points) for one in record.samples}
        assert over_time.keys() == {"device memory", "device power"}
        assert over_time["device memory"] >= memory.value
        assert over_time["device power"] == power


def wall(record):
    return record.provenance["finished"] - record.provenance["started"]


def test_a_card_is_used_again_once_the_last_trial_is_gone_and_other_cards_are_left_alone(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-fake-1")
    records, _ = trials("[0, 1]")
    assert [reading(r, "peak_device_memory").value for r in records] == [2000 * MIB] * 2
    assert not any(m.flags for r in records for m in r.measurements if m.name == "peak_device_memory")
    state = cards("seconds")
    assert {path.name.split("-")[1] for path in state.glob("ran-*")} == {"1"}


def test_memory_in_a_container_is_the_cards_own_growth(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    cards("hide")
    (record,), _ = trials()
    memory = reading(record, "peak_device_memory")
    assert (memory.value, memory.scope) == (1000 * MIB, "device_delta")
    assert "another namespace (a container)" in memory.method


def test_a_divided_card_has_torchs_figures_only(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-fake-0")
    cards("0/mig")
    (record,), _ = trials()
    assert record.status == "ok"
    assert reading(record, "peak_device_memory").scope == "torch_only"
    for name in DEVICE:
        assert reading(record, name).value is None
        assert "MIG is on" in reading(record, name).reason, name


def test_what_a_card_does_not_support_is_null_alone(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for name in ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetTemperature", "nvmlDeviceGetMigMode"):
        cards(f"0/fail/{name}", 3)
    (record,), _ = trials()
    nulls = {name for name in DEVICE if reading(record, name).value is None}
    assert nulls == {"energy", "train_energy", "peak_temperature"}
    assert {reading(record, name).reason for name in nulls} == {"NVML: Not Supported"}


def test_a_function_an_old_driver_lacks_is_null_alone(trials, cards, monkeypatch, tmp_path):
    old = build(tmp_path / "old", "-DWITHOUT_ENERGY")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(old))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    cards("fail/nvmlDeviceGetMemoryInfo_v2", 13)
    (record,), _ = trials()
    assert reading(record, "energy").reason == "NVML: Function Not Found"
    assert reading(record, "peak_device_memory").value == 1000 * MIB
    assert reading(record, "mean_power").value == 100


@pytest.mark.parametrize(("code", "reason"), [(15, "NVML: GPU is lost"), (9, "NVML: Driver Not Loaded")])
def test_a_driver_that_vanishes_in_a_trial_leaves_reasons_and_a_finished_trial(
    trials, cards, monkeypatch, code, reason
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    cards("vanish", code)
    records, _ = trials("[0, 1]")
    assert {r.status for r in records} == {"ok"}
    for record in records:
        assert record.measurement("accuracy").value is not None
    first = min(records, key=lambda r: r.provenance["started"])
    nulls = [reading(first, name) for name in DEVICE if reading(first, name).value is None]
    assert {m.reason for m in nulls} == {reason}
    # The process list was read before it vanished, and the idle power before the trial: they stand.
    assert {m.name for m in nulls} == set(DEVICE) - {"peak_device_memory", "idle_power"}
    assert {reading(max(records, key=lambda r: r.provenance["started"]), name).reason for name in DEVICE} == {reason}


def test_a_trial_that_dies_leaves_what_was_measured(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    cards("die", 1)
    (record,), _ = trials(check=1)
    assert record.status == "error"
    assert record.failure.message == "killed by SIGABRT"
    assert reading(record, "peak_device_memory").value == 2000 * MIB
    assert reading(record, "train_energy").value > 50


def test_throttling_flags_the_trial(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    cards("0/throttle", 0x41)
    (record,), _ = trials()
    assert reading(record, "throttled_share").value == 1
    assert reading(record, "throttled_share").flags == ("throttled: thermal slowdown",)
    assert "throttled" in reading(record, "mean_power").flags
    assert disturbances(reading(record, "train_time")) == ("throttled",), "whoever measured it"
    assert disturbances(reading(record, "wall_time")) == ("throttled",)
    assert disturbances(reading(record, "accuracy")) == ()


def test_a_stranger_on_the_card_is_told_and_memory_is_still_the_trials(trials, cards, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    cards(f"0/processes/{os.getpid()}", 4000 * MIB)
    (record,), _ = trials()
    assert reading(record, "peak_device_memory").value == 1000 * MIB
    assert "shared device" in reading(record, "energy").flags


def test_without_a_library_a_run_says_so_and_no_zero_stands_for_it(ftbench, tiny_suite, tmp_path, monkeypatch):
    ftbench("run", tiny_suite(("frozen",), steps=2), check=0)
    (record,) = read_run(tmp_path / "runs" / "tiny")
    assert {(reading(record, name).value, reading(record, name).reason) for name in DEVICE} == {
        (None, "no NVIDIA driver")
    }
    for name in ("report.md", "report.html"):
        assert "not measured: no NVIDIA driver" in (tmp_path / "runs" / "tiny" / name).read_text()
