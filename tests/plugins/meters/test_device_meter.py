"""The device meter on a scripted probe and a fake clock: windows, memory per process, faults, and its own failures."""

import os
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from ftbench import Watch
from ftbench.meters import DeviceProbe, DeviceState, Span

from ftbench_plugins.meters.energy import DeviceMeter
from ftbench_plugins.meters.sampler import PERIOD, Sampler, of_session
from ftbench_plugins.meters.window import Window, whole
from tests.support.scripted_probe import MIB, FakeClock, ScriptedProbe

TRIAL = 4242
OTHER = 99
HIDDEN = 3_000_000


def belongs(pid):
    return {TRIAL: True, OTHER: False}.get(pid)


def readings(*arguments, **script):
    """Return what a whole trial measures, by name."""
    return {m.name: m for m in metered(*arguments, **script).measured}


def metered(seconds=20.0, before=None, spans=None, overslept=None, **script):
    """Run a whole trial of so many seconds on a fake clock; gives its meter, stopped."""
    clock = FakeClock(seconds, overslept)
    meter = DeviceMeter()
    spans = (
        [Span("load", 100.0, 105.0), Span("train", 105.0, 117.0), Span("evaluate", 117.0, 120.0)]
        if spans is None
        else spans
    )
    meter._watch = Watch(
        "cuda:1",
        TRIAL,
        probe=ScriptedProbe(clock, **script),
        before=before or DeviceState(500 * MIB, 40.0),
        spans=spans,
    )
    meter._partitioned = meter._watch.probe.script["partitioned"] is True
    sampler = meter._sampler = Sampler(meter._watch.probe, belongs, clock)
    sampler.began = clock.now()
    sampler.tick()
    sampler.run()
    meter.measured = meter.stop()
    return meter


def training_memory(t):
    return [(TRIAL, (1000 if t < 5 else 3000 if t < 17 else 9000) * MIB)]


def test_memory_of_the_process_is_its_peak_during_training():
    found = readings(processes=training_memory)["peak_device_memory"]
    assert (found.value, found.scope, found.unit) == (3000 * MIB, "process", "B")
    assert "during training" in found.method


def test_memory_and_power_over_time_keep_their_peaks_in_a_hundred_points_or_so():
    memory, power = metered(processes=training_memory, power=lambda t: 300.0 if 6 < t < 6.08 else 100.0).samples()
    assert (memory.name, memory.unit, memory.scope) == ("device memory", "B", "the trial's processes")
    assert (power.name, power.unit, power.scope) == ("device power", "W", "the whole device")
    for one in (memory, power):
        assert 100 <= len(one.points) <= 120
        assert [at for at, _ in one.points] == sorted(at for at, _ in one.points)
        assert one.points[0][0] == 0.0
    assert {value for at, value in memory.points if at < 4.9} == {1000 * MIB}
    assert max(value for _, value in memory.points) == 9000 * MIB
    assert [round(at) for at, value in power.points if value == 300.0] == [6]


def test_memory_over_time_is_the_devices_where_the_driver_tells_of_no_process():
    memory = metered(memory=lambda t: (500 + t) * MIB).samples()[0]
    assert memory.scope == "the whole device"
    assert memory.points[-1][1] == pytest.approx(520 * MIB, rel=1e-3)


def test_a_device_that_tells_nothing_has_nothing_over_time():
    assert metered(memory="no", power="no", processes="no").samples() == []


def test_memory_of_several_processes_of_the_trial_is_their_sum_and_a_strangers_is_not_in_it():
    found = readings(processes=[(TRIAL, 10 * MIB), (TRIAL, 20 * MIB), (OTHER, 5000 * MIB)])
    assert found["peak_device_memory"].value == 30 * MIB
    assert "shared device" in found["energy"].flags
    assert "shared device" in found["mean_power"].flags


def test_ids_of_another_namespace_give_the_devices_own_growth_and_say_so():
    found = readings(processes=[(HIDDEN, 2000 * MIB)], memory=lambda t: (500 if t < 6 else 2500) * MIB)[
        "peak_device_memory"
    ]
    assert (found.value, found.scope) == (2000 * MIB, "device_delta")
    assert "another namespace (a container)" in found.method


def test_a_driver_that_gives_no_memory_of_processes_gives_the_devices_own_growth():
    found = readings(processes=[(TRIAL, None)], memory=lambda t: (500 if t < 6 else 700) * MIB)["peak_device_memory"]
    assert (found.value, found.scope) == (200 * MIB, "device_delta")
    assert "no memory per process" in found.method


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"processes": [(HIDDEN, None), (OTHER, 1)]}, "another process was on the device: 99"),
        ({"processes": [(HIDDEN, None), (HIDDEN + 1, None)]}, "it is unknown which is the trial's"),
        ({"processes": []}, "names no process"),
        ({"processes": "NVML: Not Supported"}, "another process was on the device: NVML: Not Supported"),
        ({"processes": "NVML: Not Supported", "memory": "NVML: GPU is lost"}, "NVML: GPU is lost"),
        ({"processes": [(HIDDEN, None)], "before": DeviceState(None, None)}, "before the trial is not known"),
        (
            {"processes": [(HIDDEN, None)], "before": DeviceState(0, 1.0, ("python (process 7)",))},
            "not free: python (process 7)",
        ),
        ({"processes": [(HIDDEN, None)]}, "used no more memory during training than before"),
        ({"partitioned": True, "processes": [(TRIAL, 1)]}, "MIG is on"),
    ],
)
def test_growth_of_a_device_that_was_not_the_trials_alone_is_no_reading(script, reason):
    found = readings(**script)["peak_device_memory"]
    assert (found.value, found.scope) == (None, "torch_only")
    assert reason in found.reason


def test_energy_is_the_counters_growth_over_the_trial_and_over_its_training():
    found = readings(
        energy=lambda t: 7000 + (50 * t if t < 5 else 250 + 200 * (t - 5)), power=lambda t: 50 if t < 5 else 200
    )
    assert found["energy"].value == pytest.approx(250 + 200 * 15, rel=0.01)
    assert found["train_energy"].value == pytest.approx(200 * 12, rel=0.01)
    assert found["energy"].flags == found["train_energy"].flags == ()
    assert found["train_energy"].scope == "device, train"
    assert found["mean_power"].value == pytest.approx(200)
    assert found["idle_power"].value == 40
    assert found["idle_power"].direction == "none"


def test_energy_over_less_than_ten_seconds_is_flagged():
    found = readings(energy=lambda t: 100 * t, spans=[Span("train", 101.0, 110.9)])
    assert "short window" in found["train_energy"].flags
    assert "short window" not in found["energy"].flags


@pytest.mark.parametrize(("share", "flagged"), [(0.95, False), (1.05, False), (0.85, True), (1.2, True)])
def test_a_counter_that_power_does_not_add_up_to_is_flagged(share, flagged):
    found = readings(power=100.0 * share)["energy"]
    assert found.value == pytest.approx(2000)
    assert any("power adds up to" in flag for flag in found.flags) == flagged


def test_a_counter_that_goes_backwards_is_no_energy():
    found = readings(energy=lambda t: 5000 + 100 * t if t < 8 else 100 * t)
    assert found["energy"].value is None
    assert "backwards" in found["energy"].reason
    assert found["mean_power"].value == 100


def test_pauses_of_a_training_are_left_out():
    spans = [Span("train", 102.0, 106.0), Span("validate", 106.0, 110.0), Span("train", 110.0, 118.0)]
    found = readings(spans=spans, utilisation=lambda t: 0.2 if 6 < t < 10 else 0.9, energy=lambda t: 10 * t)
    assert found["sm_utilisation"].value == pytest.approx(0.9)
    assert found["train_energy"].value == pytest.approx(120, rel=0.02)


def test_a_trial_that_died_in_training_is_measured_up_to_its_death():
    found = readings(8.0, spans=[Span("train", 102.0, None)], processes=training_memory)
    assert found["peak_device_memory"].value == 3000 * MIB
    assert found["train_energy"].value == pytest.approx(600, rel=0.02)


def test_a_trial_that_told_of_no_training_is_measured_whole():
    found = readings(spans=[], processes=training_memory)
    assert found["peak_device_memory"].value == 9000 * MIB
    assert "reported no training" in found["peak_device_memory"].method
    assert found["train_energy"].scope == "device, whole trial"


def test_throttling_is_a_share_and_a_flag_on_what_time_decides():
    found = readings(throttling=lambda t: frozenset({"power cap"}) if 8 <= t < 11 else frozenset())
    assert found["throttled_share"].value == pytest.approx(0.25, abs=0.01)
    assert found["throttled_share"].flags == ("throttled: power cap",)
    assert "throttled" in found["energy"].flags


def test_clocks_held_down_outside_the_training_are_none_of_its_flags():
    found = readings(throttling=lambda t: frozenset({"power cap"}) if t < 3 else frozenset())
    assert found["throttled_share"].value == 0
    assert found["throttled_share"].flags == found["energy"].flags == ()


def test_clocks_and_temperature():
    found = readings(clock=lambda t: 1.0e9 if t < 11 else 2.0e9, temperature=lambda t: 40 + t)
    assert found["sm_clock"].value == pytest.approx(1.5e9, rel=0.01)
    assert (found["peak_temperature"].value, found["peak_temperature"].unit) == (pytest.approx(60), "°C")


QUANTITIES = {
    "memory": set(),
    "power": {"mean_power"},
    "energy": {"energy", "train_energy"},
    "utilisation": {"sm_utilisation"},
    "clock": {"sm_clock"},
    "temperature": {"peak_temperature"},
    "throttling": {"throttled_share"},
    "processes": {"peak_device_memory"},
}


@pytest.mark.parametrize("since", [0.0, 8.0])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_fault_from_the_beginning_or_half_way_is_a_null_with_the_drivers_reason_and_no_other(quantity, since):
    right = {"processes": training_memory, "energy": lambda t: 100 * t}
    answer = right.get(quantity, ScriptedProbe(FakeClock()).script[quantity])
    value = answer if callable(answer) else lambda t: answer
    found = readings(**{**right, quantity: lambda t: "NVML: GPU is lost" if t >= since else value(t)})
    # Memory read per process before the process list failed is kept; memory that was never read is not.
    expected = set() if quantity == "processes" and since else QUANTITIES[quantity]
    assert {name for name, m in found.items() if m.value is None} == expected
    assert all("GPU is lost" in found[name].reason for name in expected)


def test_a_device_that_is_lost_ends_the_sampling_and_leaves_reasons_only():
    gone = dict.fromkeys([*QUANTITIES], "NVML: GPU is lost")
    found = readings(before=DeviceState(), **gone)
    assert {m.reason for m in found.values()} == {"NVML: GPU is lost"}


def test_without_a_driver_there_are_reasons_and_no_thread():
    import threading

    meter = DeviceMeter()
    before = threading.active_count()
    meter.start(Watch("cpu", 1, probe=DeviceProbe("no NVIDIA driver")))
    assert threading.active_count() == before
    found = meter.stop()
    assert len(found) == 12
    assert {(m.value, m.reason) for m in found} == {(None, "no NVIDIA driver")}


def test_a_starved_sampler_counts_what_it_missed_and_flags_what_it_saw():
    starved = readings(20.0, overslept={20: 4.0, 30: 1.5}, processes=training_memory)
    assert starved["sampling_missed"].value == pytest.approx(5.5 / PERIOD, abs=2)
    assert starved["sampling_interval"].value == pytest.approx(PERIOD * 400 / 290, rel=0.02)
    assert starved["peak_device_memory"].flags == ("starved sampler",)
    assert "starved sampler" in starved["energy"].flags
    well = readings(20.0, processes=training_memory)
    assert (well["sampling_missed"].value, well["sampling_interval"].value) == (0, pytest.approx(PERIOD))
    assert well["sampling_cost"].value == pytest.approx(400 * 1e-4 / 20, rel=0.02)
    assert well["peak_device_memory"].flags == ()


def test_a_late_tick_is_not_made_up_for_by_a_burst():
    clock = FakeClock(1.0, {3: 0.33})
    sampler = Sampler(ScriptedProbe(clock), belongs, clock)
    sampler.run()
    times = list(sampler.series["power"].times)
    assert min(later - earlier for earlier, later in pairwise(times)) > PERIOD / 3
    assert sampler.missed == 6


def _until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_the_real_thread_samples_until_it_is_stopped_and_can_be_stopped_twice():
    clock = FakeClock()
    sampler = Sampler(ScriptedProbe(clock), belongs)
    sampler.start()
    _until(lambda: sampler.ticks >= 3)
    sampler.stop()
    ticks = sampler.ticks
    sampler.stop()
    time.sleep(0.15)
    assert sampler.ticks == ticks
    assert 0 < sampler.cost < 0.5


def test_a_driver_that_hangs_is_given_up(monkeypatch):
    import threading

    release = threading.Event()
    monkeypatch.setattr("ftbench_plugins.meters.sampler.PATIENCE", 0.2)
    calls = []

    def hang(t):
        calls.append(t)
        if len(calls) > 1:
            release.wait(10)
        return 5.0

    sampler = Sampler(ScriptedProbe(FakeClock(), temperature=hang), belongs)
    sampler.start()
    _until(lambda: len(calls) > 1)
    sampler.stop()
    release.set()
    assert "did not answer" in sampler.unavailable["memory"]


def test_a_process_belongs_to_the_session_of_its_trial():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True)
    try:
        mine = of_session(child.pid)
        assert mine(child.pid) is True
        assert mine(os.getpid()) is False
        assert mine(2**22 + 1) is None
    finally:
        child.kill()
        child.wait()


def test_the_next_reading_stands_for_a_stretch_shorter_than_a_period():
    clock = FakeClock(1.0)
    sampler = Sampler(ScriptedProbe(clock, power=lambda t: t), belongs, clock)
    sampler.run()
    series = sampler.series["power"]
    assert Window([(100.51, 100.52)], "train").values(series).tolist() == pytest.approx([0.55])
    assert Window([(200.0, 200.1)], "train").values(series).tolist() == [series.values[-1]]
    assert whole(series).seconds == pytest.approx(0.95, abs=0.06)
