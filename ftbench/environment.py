"""Describe the machine: visible GPUs according to NVML, software versions and hardware.

A machine without a GPU driver is a normal case.
"""

from __future__ import annotations

import os
import platform
import sys
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator


SOFTWARE = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "pillow",
    "soundfile",
)
"""Packages whose version can change a number."""


@contextmanager
def nvml() -> Iterator[Any]:
    """Yield the initialised `pynvml` module.

    Raises:
        pynvml.NVMLError: there is no driver, or it does not respond.
    """
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def visible_gpus() -> list[int]:
    """Return the NVML indices of the GPUs this process may use: all, or those in `CUDA_VISIBLE_DEVICES`.

    Returns:
        The indices; an empty list if there is no driver or no GPU.
    """
    if not _has_nvml():
        return []
    import pynvml

    try:
        with nvml() as library:
            uuids = [
                _text(library.nvmlDeviceGetUUID(library.nvmlDeviceGetHandleByIndex(i)))
                for i in range(library.nvmlDeviceGetCount())
            ]
    except pynvml.NVMLError:
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(range(len(uuids)))
    found: list[int] = []
    for name in _names(chosen):
        if name.isdecimal() and int(name) < len(uuids):
            found.append(int(name))
        elif name.startswith("MIG-"):
            found.extend(_gpu_of_mig(name))
        else:
            found.extend(i for i, uuid in enumerate(uuids) if uuid.startswith(name))
    return list(dict.fromkeys(found))


def _has_nvml() -> bool:
    """Check whether the NVML library can be loaded; without it, the slow import of `pynvml` is not needed."""
    if sys.platform == "win32" or "pynvml" in sys.modules:
        return True
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def cuda_name(index: int) -> str:
    """Return the `CUDA_VISIBLE_DEVICES` entry of the GPU with NVML index `index`.

    That is its UUID, or the UUID of the MIG device that this process may use.
    """
    parts = (name for name in _names(os.environ.get("CUDA_VISIBLE_DEVICES", "")) if name.startswith("MIG-"))
    return next((name for name in parts if _gpu_of_mig(name) == [index]), None) or gpu_uuid(index)


def _names(variable: str) -> list[str]:
    return [name for name in (part.strip() for part in variable.split(",")) if name]


def _gpu_of_mig(part: str) -> list[int]:
    """Return the NVML index of the GPU that contains a MIG device, as a list; empty if there is no such device."""
    import pynvml

    try:
        with nvml() as library:
            gpu = library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(library.nvmlDeviceGetHandleByUUID(part))
            return [int(library.nvmlDeviceGetIndex(gpu))]
    except pynvml.NVMLError:
        return []


@contextmanager
def _checked_nvml() -> Iterator[Any]:
    """Yield `pynvml` to query a GPU that was found before.

    Raises:
        RunError: the GPU no longer responds.
    """
    import pynvml

    try:
        with nvml() as library:
            yield library
    except pynvml.NVMLError as error:
        raise RunError(f"a GPU no longer responds, NVML: {error}; run again when nvidia-smi works") from None


def gpu_uuid(index: int) -> str:
    """Return the UUID of the GPU with NVML index `index`; CUDA accepts it too.

    Raises:
        RunError: the GPU no longer responds.
    """
    with _checked_nvml() as library:
        return _text(library.nvmlDeviceGetUUID(library.nvmlDeviceGetHandleByIndex(index)))


def describe_gpu(index: int) -> dict[str, Any]:
    """Return model, memory in bytes, major driver version and power limit in watts of a GPU; no serial number.

    Raises:
        RunError: the GPU no longer responds.
    """
    import pynvml

    with _checked_nvml() as library:
        handle = library.nvmlDeviceGetHandleByIndex(index)
        described: dict[str, Any] = {
            "name": _text(library.nvmlDeviceGetName(handle)),
            "memory": int(library.nvmlDeviceGetMemoryInfo(handle).total),
            "driver_major": _text(library.nvmlSystemGetDriverVersion()).partition(".")[0],
        }
        try:
            described["power_limit"] = round(library.nvmlDeviceGetPowerManagementLimit(handle) / 1000)
        except pynvml.NVMLError:
            described["power_limit"] = None
    return described


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@cache
def software() -> dict[str, str]:
    """Return the versions of Python and of the packages in `SOFTWARE`."""
    versions = {"python": platform.python_version()}
    for name in SOFTWARE:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


@cache
def hardware(device: str) -> dict[str, Any]:
    """Return the processor and, if `device` is a GPU, its description; never a host or user name."""
    described: dict[str, Any] = {"machine": platform.machine(), "cpu": _cpu_model(), "device": device.partition(":")[0]}
    if device.startswith("cuda"):
        gpus, number = visible_gpus(), int(device.partition(":")[2] or 0)
        described["gpu"] = describe_gpu(gpus[number]) if number < len(gpus) else None
    return described


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def environment(device: str) -> dict[str, Any]:
    """Return the two parts of the comparability fingerprint that depend on the machine: software and hardware."""
    return {"software": software(), "hardware": hardware(device)}
