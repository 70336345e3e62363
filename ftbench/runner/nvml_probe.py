"""Read GPUs through NVIDIA's management library (NVML), by UUID: indices differ between NVML and CUDA."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..api.device import DeviceProbe, DeviceProcess
from ..environment import nvml
from ..errors import NotMeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

THROTTLES = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by software",
    0x40: "thermal slowdown",
    0x80: "power brake",
}
"""Bits of `nvmlClocksEventReasons` that count as throttling; idling and clocks set by the user do not."""


class NvmlProbe(DeviceProbe):
    """One GPU, read through an initialised NVML; each NVML error becomes the reason of a `NotMeasured`."""

    def __init__(self, library: Any, uuid: str) -> None:
        super().__init__("NVML does not report it")
        self._library, self._uuid = library, uuid

    def _ask(self, function: str, *arguments: Any, **options: Any) -> Any:
        library = self._library
        try:
            handle = library.nvmlDeviceGetHandleByUUID(self._uuid)
            return getattr(library, function)(handle, *arguments, **options)
        except library.NVMLError as error:
            raise NotMeasured(f"NVML: {error}") from None

    def partitioned(self) -> bool:
        """Return whether MIG is on; False for a GPU without MIG."""
        try:
            return bool(self._ask("nvmlDeviceGetMigMode")[0])
        except NotMeasured as error:
            if any(cause in str(error) for cause in ("Not Supported", "Function Not Found")):
                return False
            raise

    def memory(self) -> int:
        """Return the bytes in use; version 2 of the query excludes memory that the driver reserves."""
        return int(self._memory_info().used)

    def capacity(self) -> int:
        """Return the total memory, in bytes."""
        return int(self._memory_info().total)

    def _memory_info(self) -> Any:
        """Query version 2, or version 1 if the driver is too old."""
        try:
            return self._ask("nvmlDeviceGetMemoryInfo", version=self._library.nvmlMemory_v2)
        except NotMeasured:
            return self._ask("nvmlDeviceGetMemoryInfo")

    def processes(self) -> tuple[DeviceProcess, ...]:
        """List the processes with a compute context."""
        return tuple(
            DeviceProcess(int(one.pid), one.usedGpuMemory) for one in self._ask("nvmlDeviceGetComputeRunningProcesses")
        )

    def power(self) -> float:
        """Return the power draw in watts; NVML counts milliwatts."""
        return float(self._ask("nvmlDeviceGetPowerUsage")) / 1000

    def energy(self) -> float:
        """Return the energy counter in joules; NVML counts millijoules."""
        return float(self._ask("nvmlDeviceGetTotalEnergyConsumption")) / 1000

    def utilisation(self) -> float:
        """Return the utilisation from 0 to 1; NVML reports per cent."""
        return float(self._ask("nvmlDeviceGetUtilizationRates").gpu) / 100

    def clock(self) -> float:
        """Return the clock of the streaming multiprocessors in hertz; NVML reports megahertz."""
        return float(self._ask("nvmlDeviceGetClockInfo", self._library.NVML_CLOCK_SM)) * 1e6

    def temperature(self) -> float:
        """Return the chip temperature in degrees Celsius."""
        return float(self._ask("nvmlDeviceGetTemperature", self._library.NVML_TEMPERATURE_GPU))

    def throttling(self) -> frozenset[str]:
        """Return the active throttle reasons; drivers before 535 know the query by its older name."""
        try:
            found = int(self._ask("nvmlDeviceGetCurrentClocksEventReasons"))
        except NotMeasured:
            found = int(self._ask("nvmlDeviceGetCurrentClocksThrottleReasons"))
        return frozenset(name for bit, name in THROTTLES.items() if found & bit)


@contextmanager
def nvml_probes(uuids: list[str]) -> Iterator[list[DeviceProbe]]:
    """Yield a probe for each UUID, valid inside the context; if NVML fails to start, probes that give the reason."""
    import pynvml

    try:
        context = nvml()
        library = context.__enter__()
    except pynvml.NVMLError as error:
        yield [DeviceProbe(f"NVML: {error}") for _ in uuids]
        return
    try:
        yield [NvmlProbe(library, uuid) for uuid in uuids]
    finally:
        # The driver may have been unloaded during the run.
        with suppress(pynvml.NVMLError):
            context.__exit__(None, None, None)


def missing_driver() -> str | None:
    """Return why no GPU can be read; None if one can."""
    import pynvml

    try:
        with nvml() as library:
            return None if library.nvmlDeviceGetCount() else "no NVIDIA GPU"
    except pynvml.NVMLError as error:
        absent = str(error) in {"NVML Shared Library Not Found", "Driver Not Loaded"}
        return "no NVIDIA driver" if absent else f"NVML: {error}"
