"""What this machine can and cannot measure and run, each with its reason; asking changes nothing and downloads nothing."""

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

QUESTIONS: dict[str, Callable[[DeviceProbe], Any]] = {
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
    """Something that may be measured here."""

    what: str
    """Such as `energy`."""
    where: str
    """`host`, or `cuda:0` …"""
    possible: bool
    why: str = ""
    """Why not; empty where it can be measured."""


@dataclass(frozen=True)
class Diagnosis:
    """A machine, and a suite on it."""

    versions: dict[str, str]
    """Of ftbench, Python and the libraries that can change a number."""
    host: dict[str, Any]
    """Cores, bytes of memory in all and free, bytes free where caches lie."""
    devices: tuple[dict[str, Any], ...]
    """Each GPU: index, name, bytes in all and free, driver, whether it is divided."""
    abilities: tuple[Ability, ...]
    broken: dict[str, str]
    """Installed plugins that cannot be loaded, and why."""
    missing: tuple[str, ...] = field(default=())
    """What the suite needs and this machine has not; a line each."""

    @property
    def well(self) -> bool:
        """Whether the suite, where one is named, can run here as the machine is."""
        return not self.missing


def diagnose(
    catalog: Catalog, version: str, suite: Suite | None = None, plan: Callable[[], object] | None = None
) -> Diagnosis:
    """Look at this machine.

    Args:
        catalog: what plugins offer.
        version: of ftbench.
        suite: whose needs are looked for.
        plan: plans the suite for this machine, to find what only planning finds.
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
        "disk_free": psutil.disk_usage(str(_existing(cache_folder()))).free,
    }


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _host_abilities() -> Iterator[Ability]:
    clear = os.access("/proc/self/clear_refs", os.W_OK)
    yield Ability(
        "peak memory of a phase",
        "host",
        clear,
        "" if clear else "this system does not let a process reset its peak memory",
    )
    yield Ability("wall time and throughput", "host", possible=True)


def _devices() -> tuple[list[dict[str, Any]], list[Ability]]:
    why = missing_driver()
    indices = visible_gpus()
    if why is None and not indices:
        why = f"CUDA_VISIBLE_DEVICES = {os.environ.get('CUDA_VISIBLE_DEVICES')!r} leaves no GPU"
    if why is not None:
        return [], [
            Ability(what, "cuda", possible=False, why=why) for what in ("memory of torch's allocator", *QUESTIONS)
        ]
    found: list[dict[str, Any]] = []
    abilities: list[Ability] = []
    with nvml_probes([gpu_uuid(index) for index in indices]) as probes:
        for index, probe in zip(indices, probes, strict=True):
            divided = _told(probe, DeviceProbe.partitioned)
            used, capacity = _told(probe, DeviceProbe.memory), _told(probe, DeviceProbe.capacity)
            free = None if isinstance(used, NotMeasured) or isinstance(capacity, NotMeasured) else capacity - used
            found.append({"index": index, **describe_gpu(index), "memory_free": free, "divided": divided is True})
            abilities += _device_abilities(f"cuda:{index}", probe, divided=divided is True)
    return found, abilities


def _device_abilities(name: str, probe: DeviceProbe, *, divided: bool) -> Iterator[Ability]:
    cuda = _has_cuda()
    yield Ability(
        "memory of torch's allocator", name, cuda, "" if cuda else "the installed torch is built without CUDA"
    )
    for what, question in QUESTIONS.items():
        answer = _told(probe, question)
        if isinstance(answer, NotMeasured):
            yield Ability(what, name, possible=False, why=str(answer))
        elif divided:
            yield Ability(what, name, possible=False, why="MIG is on: NVML's figures are those of the whole card")
        else:
            yield Ability(what, name, possible=True)


def _told(probe: DeviceProbe, question: Callable[[DeviceProbe], Any]) -> Any:
    """Ask, whoever the probe is; gives the reason where there is no answer."""
    try:
        return getattr(probe, question.__name__)()
    except NotMeasured as error:
        return error


def _has_cuda() -> bool:
    """Read how torch was built from its version file, without importing it."""
    from importlib.util import find_spec

    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    return any(line.startswith("cuda") and "None" not in line for line in text.splitlines())


def _not_cached(suite: Suite, catalog: Catalog) -> Iterator[str]:
    """Name what lies on the hub and not here."""
    for place, remote in remotes(suite, catalog):
        try:
            remote.snapshot()
        except NotCached as error:
            how = "`ftbench run` downloads it" if suite.online else "set online = true to let `ftbench run` download it"
            yield f"{place}: {error.what}; {how}"
        except UserError as error:
            yield f"{place}: {error}"


def _not_planned(plan: Callable[[], object] | None) -> Iterator[str]:
    """Name what planning finds: data, models and packages that are not there."""
    try:
        if plan is not None:
            plan()
    except UserError as error:
        yield from error.mistakes
