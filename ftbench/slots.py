"""Where trials run: the CPU, or the GPUs that may be used, one trial each at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .device import DeviceProbe
from .gpu import cuda_name, gpu_uuid, visible_gpus
from .hand_over import HandOver
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
    hand_over: HandOver
    """Between two trials."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What a trial's environment says of it."""


@contextmanager
def open_slots(device: str) -> Iterator[list[Slot]]:
    """Give the slots of a run on `cpu` or `cuda`; their probes answer as long as the context lasts."""
    if device == "cpu":
        probe = DeviceProbe(missing_driver() or "the trial runs on the CPU")
        yield [Slot("cpu", "cpu", probe, HandOver(probe))]
        return
    indices = visible_gpus()
    uuids = [gpu_uuid(index) for index in indices]
    with nvml_probes(uuids) as probes:
        yield [
            Slot(f"cuda:{index}", "cuda:0", probe, HandOver(probe), {"CUDA_VISIBLE_DEVICES": cuda_name(index)})
            for index, probe in zip(indices, probes, strict=True)
        ]
