"""Where trials run: the CPU, or the GPUs that may be used, one trial each at a time."""

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
    """A place for one trial at a time."""

    name: str
    """`cpu`, or `cuda:1` by NVML's index."""
    device: str
    """What the trial calls it: it sees one card at most."""
    probe: DeviceProbe
    """What can be asked of it from outside."""
    hand_over: DeviceRelease
    """Between two trials."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What a trial's environment says of it."""
    cores: tuple[int, ...] = ()
    """The CPU cores that are a trial's alone; none where it may use all."""


@contextmanager
def open_slots(device: str, machine: Machine | None = None) -> Iterator[list[Slot]]:
    """Give the slots of a run on `cpu` or `cuda`; their probes answer as long as the context lasts.

    Raises:
        UserError: the machine has not as many cores as its workers need.
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
    """Divide the cores among the workers; one worker alone is not bound to any."""
    if machine.workers == 1:
        return [()]
    cores, size = sorted(os.sched_getaffinity(0)), machine.threads
    if machine.workers * size > len(cores):
        needed = (
            f"{machine.workers} workers of {size} thread{'s' if size > 1 else ''} need {machine.workers * size} cores"
        )
        raise UserError(
            f"machine.workers: {needed}, and this process may use {len(cores)}; give fewer workers, or fewer machine.threads"
        )
    return [tuple(cores[place * size : (place + 1) * size]) for place in range(machine.workers)]
