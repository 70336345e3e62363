"""Check what this machine can measure and run, with reasons; changes nothing and downloads nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from ..api.device import DeviceProbe
from ..data.downloads import remotes
from ..environment import describe_gpu, gpu_uuid, software, visible_gpus
from ..errors import NotCached, NotMeasured, UserError
from ..fingerprint import cache_folder
from .nvml_probe import missing_driver, nvml_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..api.catalog import Catalog
    from ..suite.suite import Suite

DEVICE_READINGS: dict[str, Callable[[DeviceProbe], Any]] = {
    "memory of the device": DeviceProbe.memory,
    "memory of single processes": DeviceProbe.processes,
    "energy": DeviceProbe.energy,
    "power": DeviceProbe.power,
    "utilisation": DeviceProbe.utilisation,
    "clocks": DeviceProbe.clock,
    "temperature": DeviceProbe.temperature,
    "throttling": DeviceProbe.throttling,
}


@dataclass(frozen=True)
class Ability:
    """A quantity, and whether this machine can measure it."""

    what: str
    """The quantity, such as `energy`."""
    where: str
    """The device: `host`, `cuda:0` …"""
    possible: bool
    why: str = ""
    """Why it cannot be measured; empty if it can."""


@dataclass(frozen=True)
class Diagnosis:
    """What a machine offers, and what a suite lacks on it."""

    versions: dict[str, str]
    """Name → version of ftbench, Python and the libraries that can change results."""
    host: dict[str, Any]
    """Cores, total and free memory, cache folder and its free disk space; sizes in bytes."""
    devices: tuple[dict[str, Any], ...]
    """For each GPU: index, name, total and free bytes, driver, whether it is partitioned (MIG)."""
    abilities: tuple[Ability, ...]
    """What the host and each GPU can measure."""
    broken: dict[str, str]
    """Name → error of installed plugins that cannot be loaded."""
    missing: tuple[str, ...] = field(default=())
    """What the suite needs and this machine lacks, one line each."""

    @property
    def well(self) -> bool:
        """Whether the suite can run on this machine now; True without a suite."""
        return not self.missing


def diagnose(
    catalog: Catalog, version: str, suite: Suite | None = None, plan: Callable[[], object] | None = None
) -> Diagnosis:
    """Return the diagnosis of this machine.

    Args:
        catalog: the components that plugins provide.
        version: the version of ftbench.
        suite: the suite to check.
        plan: plans the suite for this machine, to find mistakes that only planning finds.
    """
    devices, abilities = _devices()
    missing = [] if suite is None else [*_not_cached(suite, catalog), *_not_planned(plan)]
    return Diagnosis(
        versions={"ftbench": version, **software(), "system": f"{platform.system()} {platform.release()}"},
        host=_host(),
        devices=tuple(devices),
        abilities=(*_host_abilities(), *abilities),
        broken=dict(catalog.broken),
        missing=tuple(dict.fromkeys(missing)),
    )


def _host() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": memory.total,
        "memory_free": memory.available,
        "cache": str(cache_folder()),
        "disk_free": psutil.disk_usage(str(_nearest_existing(cache_folder()))).free,
    }


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _host_abilities() -> Iterator[Ability]:
    clear = os.access("/proc/self/clear_refs", os.W_OK)
    yield Ability(
        "peak memory of a phase",
        "host",
        clear,
        "" if clear else "this system does not allow a process to reset its peak memory",
    )
    yield Ability("wall time and throughput", "host", possible=True)


def _devices() -> tuple[list[dict[str, Any]], list[Ability]]:
    why = missing_driver()
    indices = visible_gpus()
    if why is None and not indices:
        why = f"CUDA_VISIBLE_DEVICES = {os.environ.get('CUDA_VISIBLE_DEVICES')!r} leaves no GPU"
    if why is not None:
        return [], [
            Ability(what, "cuda", possible=False, why=why) for what in ("memory of torch's allocator", *DEVICE_READINGS)
        ]
    found: list[dict[str, Any]] = []
    abilities: list[Ability] = []
    with nvml_probes([gpu_uuid(index) for index in indices]) as probes:
        for index, probe in zip(indices, probes, strict=True):
            divided = _read(probe, DeviceProbe.partitioned)
            used, capacity = _read(probe, DeviceProbe.memory), _read(probe, DeviceProbe.capacity)
            free = None if isinstance(used, NotMeasured) or isinstance(capacity, NotMeasured) else capacity - used
            found.append({"index": index, **describe_gpu(index), "memory_free": free, "divided": divided is True})
            abilities += _device_abilities(f"cuda:{index}", probe, divided=divided is True)
    return found, abilities


def _device_abilities(name: str, probe: DeviceProbe, *, divided: bool) -> Iterator[Ability]:
    cuda = _has_cuda()
    yield Ability(
        "memory of torch's allocator", name, cuda, "" if cuda else "the installed torch is built without CUDA"
    )
    for what, method in DEVICE_READINGS.items():
        value = _read(probe, method)
        if isinstance(value, NotMeasured):
            yield Ability(what, name, possible=False, why=str(value))
        elif divided:
            yield Ability(what, name, possible=False, why="MIG is on: NVML reports values of the whole GPU")
        else:
            yield Ability(what, name, possible=True)


def _read(probe: DeviceProbe, method: Callable[[DeviceProbe], Any]) -> Any:
    """Call a probe's version of a method of `DeviceProbe`; return the `NotMeasured` error if there is no value."""
    try:
        return getattr(probe, method.__name__)()
    except NotMeasured as error:
        return error


def _has_cuda() -> bool:
    """Return whether torch was built with CUDA; reads its version file, without importing torch."""
    from importlib.util import find_spec

    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    return any(line.startswith("cuda") and "None" not in line for line in text.splitlines())


def _not_cached(suite: Suite, catalog: Catalog) -> Iterator[str]:
    """Yield the Hub repositories of a suite that are not in the local cache."""
    for key, remote in remotes(suite, catalog):
        try:
            remote.snapshot()
        except NotCached as error:
            how = "`ftbench run` downloads it" if suite.online else "set online = true to let `ftbench run` download it"
            yield f"{key}: {error.what}; {how}"
        except UserError as error:
            yield f"{key}: {error}"


def _not_planned(plan: Callable[[], object] | None) -> Iterator[str]:
    """Yield the mistakes that planning finds, such as missing data, models and packages."""
    try:
        if plan is not None:
            plan()
    except UserError as error:
        yield from error.mistakes
