"""Meter for host memory and, on a GPU, torch's allocator; training is measured separately from evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Measurement, Meter, Watch

from .cgroup import CgroupPeak
from .processes import inherited, peak_of_tree, reset_peak

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRAINING = ("warm-up", "train", "teacher", "fisher", "features")
_NO_ALLOCATOR = "no device allocator on a CPU"


class MemoryMeter(Meter):
    """Resets the peaks at the start of each phase and reads them at its end."""

    def start(self, watch: Watch) -> None:
        """Read the process's memory before the trial begins."""
        self._watch = watch
        self._inherited = inherited()
        self._host: dict[str, int] = {}
        self._allocated: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        self._resettable = reset_peak()
        self._cgroup = CgroupPeak()

    @property
    def _on_gpu(self) -> bool:
        return self._watch.device.startswith("cuda")

    def enter(self, phase: str) -> None:
        """Reset the peaks."""
        reset_peak()
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats(self._watch.device)

    def leave(self, phase: str) -> None:
        """Read the peaks."""
        self._host[phase] = max(self._host.get(phase, 0), peak_of_tree())
        if self._on_gpu:
            stats = self._stats()
            for peaks, name in ((self._allocated, "allocated"), (self._reserved, "reserved")):
                peaks[phase] = max(peaks.get(phase, 0), stats[f"{name}_bytes.all.peak"])

    def stop(self) -> list[Measurement]:
        """Return the peaks of the training phases, and the allocator's failures over the whole trial."""
        return [
            self._host_peak(),
            self._cgroup.reading,
            self._allocator_peak(
                "peak_allocated_memory", self._allocated, "max_memory_allocated: bytes of live tensors"
            ),
            self._allocator_peak(
                "peak_reserved_memory",
                self._reserved,
                "max_memory_reserved: bytes the allocator reserved on the device",
            ),
            self._allocator_count(
                "allocator_retries", "num_alloc_retries", "times the cache was emptied to free memory"
            ),
            self._allocator_count("allocator_ooms", "num_ooms", "times an allocation failed"),
        ]

    def _stats(self) -> Mapping[str, int]:
        import torch

        found: Mapping[str, int] = torch.cuda.memory_stats(self._watch.device)
        return found

    def _host_peak(self) -> Measurement:
        name = "peak_host_memory"
        method = "VmHWM of the trial's process and its children, reset at each phase, minus the memory it inherited"
        if self._inherited is None or not self._resettable:
            return Measurement(
                name, None, "B", "lower", reason="this system does not let a process reset its peak memory"
            )
        peak = max((self._host.get(phase, 0) for phase in _TRAINING), default=0)
        if not peak:
            return Measurement(name, None, "B", "lower", scope="train", reason="nothing was trained")
        if peak <= self._inherited:
            return Measurement(
                name, None, "B", "lower", scope="train", reason="the process freed more memory than it allocated"
            )
        return Measurement(name, float(peak - self._inherited), "B", "lower", method=method, scope="train")

    def _allocator_peak(self, name: str, peaks: Mapping[str, int], method: str) -> Measurement:
        if not self._on_gpu:
            return Measurement(name, None, "B", "lower", reason=_NO_ALLOCATOR)
        found = [peaks[phase] for phase in _TRAINING if phase in peaks]
        if not found:
            return Measurement(name, None, "B", "lower", scope="train", reason="nothing was trained")
        return Measurement(name, float(max(found)), "B", "lower", method=f"torch.cuda.{method}", scope="train")

    def _allocator_count(self, name: str, key: str, method: str) -> Measurement:
        if not self._on_gpu:
            return Measurement(name, None, "events", "lower", reason=_NO_ALLOCATOR)
        value = float(self._stats().get(key, 0))
        return Measurement(
            name, value, "events", "lower", method=f"torch.cuda.memory_stats: {method}", scope="whole trial"
        )
