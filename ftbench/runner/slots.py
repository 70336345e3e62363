"""Slots that trials run on: shares of the CPU, or one slot for each visible GPU."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..api.device import DeviceProbe
from ..environment import cuda_name, gpu_uuid, visible_gpus
from ..errors import UserError
from ..suite.suite import Machine
from .device_release import DeviceRelease
from .nvml_probe import missing_driver, nvml_probes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Slot:
    """A device, or a share of the CPU, that runs one trial at a time."""

    name: str
    """`cpu`, or `cuda:1` by NVML's index."""
    device: str
    """The device name inside the trial, which sees one GPU at most: `cpu` or `cuda:0`."""
    probe: DeviceProbe
    """Reads the device from the runner."""
    release: DeviceRelease
    """Waits for the device to be free between two trials."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that select the device in the trial."""
    cores: tuple[int, ...] = ()
    """CPU cores to bind the trial to; all if empty."""


@contextmanager
def open_slots(device: str, machine: Machine | None = None) -> Iterator[list[Slot]]:
    """Yield the slots of a run on `cpu` or `cuda`; their probes work inside the context only.

    Raises:
        UserError: the machine has fewer cores than the workers need.
    """
    if device == "cpu":
        probe = DeviceProbe(missing_driver() or "the trial runs on the CPU")
        yield [Slot("cpu", "cpu", probe, DeviceRelease(probe), cores=cores) for cores in _shares(machine or Machine())]
        return
    indices = visible_gpus()
    uuids = [gpu_uuid(index) for index in indices]
    with nvml_probes(uuids) as probes:
        yield [
            Slot(f"cuda:{index}", "cuda:0", probe, DeviceRelease(probe), {"CUDA_VISIBLE_DEVICES": cuda_name(index)})
            for index, probe in zip(indices, probes, strict=True)
        ]


def _shares(machine: Machine) -> list[tuple[int, ...]]:
    """Divide the cores among the workers; a single worker is not bound to cores."""
    if machine.workers == 1:
        return [()]
    cores, size = sorted(os.sched_getaffinity(0)), machine.threads
    if machine.workers * size > len(cores):
        needed = (
            f"{machine.workers} workers of {size} thread{'s' if size > 1 else ''} need {machine.workers * size} cores"
        )
        raise UserError(
            f"machine.workers: {needed}, and this process may use {len(cores)}; "
            "reduce machine.workers or machine.threads"
        )
    return [tuple(cores[worker * size : (worker + 1) * size]) for worker in range(machine.workers)]
