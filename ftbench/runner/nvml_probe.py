"""A device asked through NVIDIA's management library, found by its UUID: indices differ between NVML and CUDA."""

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
"""Bits of `nvmlClocksEventReasons` that hold clocks down against the user's will; idling and chosen clocks are none."""


class NvmlProbe(DeviceProbe):
    """One GPU, asked through an initialised NVML; every error of it becomes a reason."""

    def __init__(self, library: Any, uuid: str) -> None:
        super().__init__("NVML does not tell")
        self._library, self._uuid = library, uuid

    def _ask(self, function: str, *arguments: Any, **options: Any) -> Any:
        library = self._library
        try:
            handle = library.nvmlDeviceGetHandleByUUID(self._uuid)
            return getattr(library, function)(handle, *arguments, **options)
        except library.NVMLError as error:
            raise NotMeasured(f"NVML: {error}") from None

    def partitioned(self) -> bool:
        """Tell whether MIG is on; a card that knows no MIG is whole."""
        try:
            return bool(self._ask("nvmlDeviceGetMigMode")[0])
        except NotMeasured as error:
            if any(cause in str(error) for cause in ("Not Supported", "Function Not Found")):
                return False
            raise

    def memory(self) -> int:
        """Read version 2, which leaves out what the driver reserves; version 1 where the driver is too old."""
        return int(self._memory_info().used)

    def capacity(self) -> int:
        """Give the bytes the card has."""
        return int(self._memory_info().total)

    def _memory_info(self) -> Any:
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
        """Read milliwatts."""
        return float(self._ask("nvmlDeviceGetPowerUsage")) / 1000

    def energy(self) -> float:
        """Read the counter of millijoules."""
        return float(self._ask("nvmlDeviceGetTotalEnergyConsumption")) / 1000

    def utilisation(self) -> float:
        """Read per cent."""
        return float(self._ask("nvmlDeviceGetUtilizationRates").gpu) / 100

    def clock(self) -> float:
        """Read the megahertz of the streaming multiprocessors."""
        return float(self._ask("nvmlDeviceGetClockInfo", self._library.NVML_CLOCK_SM)) * 1e6

    def temperature(self) -> float:
        """Read the sensor of the chip."""
        return float(self._ask("nvmlDeviceGetTemperature", self._library.NVML_TEMPERATURE_GPU))

    def throttling(self) -> frozenset[str]:
        """Read the reasons for the clocks; by its older name where the driver is older than 535."""
        try:
            found = int(self._ask("nvmlDeviceGetCurrentClocksEventReasons"))
        except NotMeasured:
            found = int(self._ask("nvmlDeviceGetCurrentClocksThrottleReasons"))
        return frozenset(name for bit, name in THROTTLES.items() if found & bit)


@contextmanager
def nvml_probes(uuids: list[str]) -> Iterator[list[DeviceProbe]]:
    """Give a probe for each UUID, as long as the context lasts; where NVML does not start, probes that say why."""
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
        # The driver may have gone while the run went on.
        with suppress(pynvml.NVMLError):
            context.__exit__(None, None, None)


def missing_driver() -> str | None:
    """Say why no GPU can be asked; None where one can."""
    import pynvml

    try:
        with nvml() as library:
            return None if library.nvmlDeviceGetCount() else "no NVIDIA GPU"
    except pynvml.NVMLError as error:
        absent = str(error) in {"NVML Shared Library Not Found", "Driver Not Loaded"}
        return "no NVIDIA driver" if absent else f"NVML: {error}"
