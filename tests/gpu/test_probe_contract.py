"""What every probe promises, held against the library built here and, where there is one, a real GPU: fakes must not differ from it."""

import os
import subprocess
import sys

import pytest

from tests.nvml.test_end_to_end import HERE, build

CONTRACT = """
import json, os, sys, time
from ftbench.environment import gpu_uuid, visible_gpus
from ftbench.runner.nvml_probe import nvml_probes
from ftbench import NotMeasured

indices = visible_gpus()
assert indices, "no GPU is seen"
uuid = gpu_uuid(indices[0])
with nvml_probes([uuid]) as (probe,):
    def ask(name):
        try:
            return getattr(probe, name)()
        except NotMeasured as error:
            assert str(error).startswith("NVML: "), error
            return None

    assert probe.partitioned() in (True, False)
    before = ask("memory")
    assert 0 <= before <= ask("capacity")
    first = ask("energy"), time.monotonic()
    exec(os.environ["OCCUPY"])
    time.sleep(1.0)
    energy, power = ask("energy"), ask("power")
    assert power is None or 0 < power < 2000
    if energy is not None and power is not None:
        assert 0.2 * power < (energy - first[0]) / (time.monotonic() - first[1]) < 5 * power
    assert ask("memory") - before > 500 * 2**20
    own = [one for one in probe.processes() if one.pid == os.getpid()]
    # A driver in a container tells the host's ids: then this process is not among them.
    assert len(own) <= 1
    for one in own:
        assert one.memory is None or 512 * 2**20 <= one.memory <= ask("memory")
    utilisation = ask("utilisation")
    assert utilisation is None or 0 <= utilisation <= 1
    clock = ask("clock")
    assert clock is None or 1e8 < clock < 1e10
    temperature = ask("temperature")
    assert temperature is None or 0 < temperature < 120
    throttling = ask("throttling")
    assert throttling is None or all(isinstance(name, str) for name in throttling)
with nvml_probes(["GPU-of-nobody"]) as (probe,):
    try:
        probe.memory()
        raise SystemExit("a card that is not there answered")
    except NotMeasured as error:
        assert str(error).startswith("NVML: ")
print("kept")
"""


def held(**variables):
    done = subprocess.run(
        [sys.executable, "-c", CONTRACT], capture_output=True, text=True, env={**os.environ, **variables}, timeout=120
    )
    assert done.stdout == "kept\n", done.stderr


def test_the_library_built_here_keeps_the_contract(tmp_path):
    assert (HERE / "nvidia_ml.c").exists()
    state = tmp_path / "state"
    (state / "0" / "processes").mkdir(parents=True)
    occupy = f"open(os.path.join({str(state / '0' / 'processes')!r}, str(os.getpid())), 'w').write(str(600 * 2**20))"
    held(FAKE_NVML=str(state), LD_LIBRARY_PATH=str(build(tmp_path / "nvml")), OCCUPY=occupy, CUDA_VISIBLE_DEVICES="0")


@pytest.mark.gpu
def test_a_real_gpu_keeps_the_contract():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    held(OCCUPY="import torch; held = torch.ones(600 * 2**18, device='cuda'); torch.cuda.synchronize()")


@pytest.mark.gpu
def test_a_trial_on_a_real_gpu_is_metered_by_driver_and_allocator(ftbench, tiny_suite, tmp_path):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    from ftbench.notebook import read_run

    ftbench("run", tiny_suite(("full",), steps=2000), check=0)
    (record,) = read_run(tmp_path / "runs" / "tiny")
    allocated, reserved = (record.measurement(f"peak_{name}_memory").value for name in ("allocated", "reserved"))
    assert 0 < allocated <= reserved
    device = record.measurement("peak_device_memory")
    assert device.value is None or (device.scope in ("process", "device_delta") and device.value >= reserved)
    energy = record.measurement("energy")
    assert energy.value is None or energy.value > 0
    assert record.measurement("allocator_ooms").value == 0
