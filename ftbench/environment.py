"""What NVML tells of the GPUs, asked from outside the trials; no driver is a normal case."""

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


@contextmanager
def nvml() -> Iterator[Any]:
    """Give the initialised `pynvml` module.

    Raises:
        pynvml.NVMLError: there is no driver, or it does not answer.
    """
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def visible_gpus() -> list[int]:
    """List the NVML indices of the GPUs this process may use: all, or those of `CUDA_VISIBLE_DEVICES`.

    Returns:
        An empty list where there is no driver or no GPU.
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
            found.extend(_card_of(name))
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
    """Give what `CUDA_VISIBLE_DEVICES` must say for the GPU with NVML index `index`: its UUID, or that of the part one may use."""
    parts = (name for name in _names(os.environ.get("CUDA_VISIBLE_DEVICES", "")) if name.startswith("MIG-"))
    return next((name for name in parts if _card_of(name) == [index]), None) or gpu_uuid(index)


def _names(variable: str) -> list[str]:
    return [name for name in (part.strip() for part in variable.split(",")) if name]


def _card_of(part: str) -> list[int]:
    """Give the NVML index of the card a MIG device is a part of; nothing where there is no such device."""
    import pynvml

    try:
        with nvml() as library:
            card = library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(library.nvmlDeviceGetHandleByUUID(part))
            return [int(library.nvmlDeviceGetIndex(card))]
    except pynvml.NVMLError:
        return []


@contextmanager
def _there() -> Iterator[Any]:
    """Give `pynvml` for a GPU that was there a moment ago.

    Raises:
        RunError: it no longer is.
    """
    import pynvml

    try:
        with nvml() as library:
            yield library
    except pynvml.NVMLError as error:
        raise RunError(
            f"a GPU that was there can no longer be asked, NVML: {error}; run again when nvidia-smi answers"
        ) from None


def gpu_uuid(index: int) -> str:
    """Give the UUID of the GPU with NVML index `index`, which CUDA understands too.

    Raises:
        RunError: it is gone.
    """
    with _there() as library:
        return _text(library.nvmlDeviceGetUUID(library.nvmlDeviceGetHandleByIndex(index)))


def describe_gpu(index: int) -> dict[str, Any]:
    """Describe a GPU: model, memory, driver's major version, power limit in watts; no serial number.

    Raises:
        RunError: it is gone.
    """
    import pynvml

    with _there() as library:
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
    """Give the versions that can change a number."""
    versions = {"python": platform.python_version()}
    for name in SOFTWARE:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


@cache
def hardware(device: str) -> dict[str, Any]:
    """Describe the processor and, where `device` is a GPU, the card: never a host or user name."""
    described: dict[str, Any] = {"machine": platform.machine(), "cpu": _cpu_model(), "device": device.partition(":")[0]}
    if device.startswith("cuda"):
        from .environment import describe_gpu, visible_gpus

        cards, number = visible_gpus(), int(device.partition(":")[2] or 0)
        described["gpu"] = describe_gpu(cards[number]) if number < len(cards) else None
    return described


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def environment(device: str) -> dict[str, Any]:
    """Give the two parts of the comparability fingerprint that the machine decides."""
    return {"software": software(), "hardware": hardware(device)}
