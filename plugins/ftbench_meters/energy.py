"""Physical memory, power and energy of the GPU, by NVML, from outside the trial."""

from __future__ import annotations

import threading
import time
from typing import Any, ClassVar, Literal

from ftbench import Measurement, Meter, Watch, nvml

PERIOD = 0.05
SHORTEST_ENERGY_WINDOW = 10.0


class DeviceMeter(Meter):
    """Samples the device 20 times a second in a thread of the runner, so that a trial that dies leaves its peak."""

    where: ClassVar[Literal["trial", "runner"]] = "runner"

    def start(self, watch: Watch) -> None:
        """Start the sampler; without a driver only the reason is kept."""
        self._watch = watch
        self._reason: str | None = None
        self._memory: list[int] = []
        self._power: list[float] = []
        self._energy: list[int] = []
        self._energy_reason: str | None = None
        self._done = threading.Event()
        self._began = time.monotonic()
        if not watch.device.startswith("cuda"):
            self._reason = "the trial runs on the CPU"
            return
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        import pynvml

        try:
            with nvml() as library:
                handle = library.nvmlDeviceGetHandleByIndex(int(self._watch.device.partition(":")[2]))
                self._read_energy(library, handle)
                while not self._done.wait(PERIOD):
                    self._memory.append(_memory_used(library, handle))
                    self._power.append(library.nvmlDeviceGetPowerUsage(handle) / 1000)
                self._read_energy(library, handle)
        except pynvml.NVMLError as error:
            self._reason = f"NVML: {error}"

    def _read_energy(self, library: Any, handle: Any) -> None:
        import pynvml

        try:
            self._energy.append(int(library.nvmlDeviceGetTotalEnergyConsumption(handle)))
        except pynvml.NVMLError as error:
            self._energy_reason = f"NVML: {error}"

    def stop(self) -> list[Measurement]:
        """Stop the sampler and give peak memory, mean power and energy of the device."""
        self._done.set()
        seconds = time.monotonic() - self._began
        if self._reason is None:
            self._thread.join(timeout=5)
        return [
            self._reading("peak_device_memory", "B", max(self._memory, default=None), "NVML memory in use, 20 Hz"),
            self._reading("mean_power", "W", _mean(self._power), "NVML power, 20 Hz"),
            self._energy_reading(seconds),
        ]

    def _reading(self, name: str, unit: str, value: float | None, method: str) -> Measurement:
        if value is None:
            return Measurement(name, None, unit, "lower", scope="device", reason=self._reason or "the trial ended before the first sample")
        return Measurement(name, float(value), unit, "lower", method=method, scope="device")

    def _energy_reading(self, seconds: float) -> Measurement:
        if len(self._energy) < 2 or self._energy[1] < self._energy[0]:
            reason = self._reason or self._energy_reason or "the energy counter went backwards"
            return Measurement("energy", None, "J", "lower", scope="device", reason=reason)
        flags = ("short window",) if seconds < SHORTEST_ENERGY_WINDOW else ()
        used = (self._energy[1] - self._energy[0]) / 1000
        return Measurement("energy", used, "J", "lower", method="NVML total energy, whole trial", scope="device", flags=flags)


def _memory_used(library: Any, handle: Any) -> int:
    """Read version 2, which leaves out what the driver reserves; version 1 where the driver is too old."""
    import pynvml

    try:
        return int(library.nvmlDeviceGetMemoryInfo(handle, version=library.nvmlMemory_v2).used)
    except (pynvml.NVMLError, AttributeError, TypeError):
        return int(library.nvmlDeviceGetMemoryInfo(handle).used)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
