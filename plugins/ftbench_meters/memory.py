"""Memory of the host and, where there is one, of torch's allocator on the device; training apart from evaluation."""

from __future__ import annotations

from pathlib import Path

from ftbench import Measurement, Meter, Watch

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_TRAINING = ("train", "teacher", "fisher")


class MemoryMeter(Meter):
    """Resets the peaks at each phase edge and reads them at the next."""

    def start(self, watch: Watch) -> None:
        """Read what the process had before the trial began."""
        self._watch = watch
        self._inherited = _resident("VmRSS")
        self._host: dict[str, int] = {}
        self._device: dict[str, int] = {}
        self._resettable = _reset_peak()

    @property
    def _on_gpu(self) -> bool:
        return self._watch.device.startswith("cuda")

    def enter(self, phase: str) -> None:
        """Reset the peaks."""
        _reset_peak()
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats(self._watch.device)

    def leave(self, phase: str) -> None:
        """Read the peaks."""
        self._host[phase] = max(self._host.get(phase, 0), _resident("VmHWM") or 0)
        if self._on_gpu:
            import torch

            peak = torch.cuda.max_memory_allocated(self._watch.device)
            self._device[phase] = max(self._device.get(phase, 0), peak)

    def stop(self) -> list[Measurement]:
        """Give the peaks of the training phases."""
        return [self._host_peak(), self._allocator_peak()]

    def _host_peak(self) -> Measurement:
        name, method = "peak_host_memory", "VmHWM of the trial's process, reset at each phase, less what it inherited"
        if self._inherited is None or not self._resettable:
            return Measurement(name, None, "B", "lower", reason="this system does not let a process reset its peak memory")
        peak = max((self._host.get(phase, 0) for phase in _TRAINING), default=0)
        return Measurement(name, float(max(0, peak - self._inherited)), "B", "lower", method=method, scope="train")

    def _allocator_peak(self) -> Measurement:
        name = "peak_allocated_memory"
        if not self._on_gpu:
            return Measurement(name, None, "B", "lower", reason="no device allocator on a CPU")
        peak = max((self._device.get(phase, 0) for phase in _TRAINING), default=0)
        return Measurement(name, float(peak), "B", "lower", method="torch.cuda.max_memory_allocated", scope="train")


def _resident(field: str) -> int | None:
    """Give a field of /proc/self/status in bytes; None where there is no such file."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)


def _reset_peak() -> bool:
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True
