"""Compute a trial's peak device memory: that of its processes if reported, otherwise the device's growth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Measurement

if TYPE_CHECKING:
    from ftbench.meters import DeviceState

    from .sampler import Sampler
    from .window import Window

NAME = "peak_device_memory"
PARTITIONED = "MIG is on: NVML's figures are those of the whole GPU"


def device_memory(sampler: Sampler, before: DeviceState, window: Window, flags: tuple[str, ...]) -> Measurement:
    """Return the peak in bytes.

    The scope is `process`, `device_delta`, or `torch_only` if only torch's allocator can measure it.
    """
    when = "during training" if window.name == "train" else "over the whole trial, which reported no training"
    if len(sampler.own) and not sampler.memory_hidden:
        peak = float(window.values(sampler.own).max(initial=0.0))
        if not peak:
            return _null(f"the trial's processes did not use the device {when}")
        method = f"NVML memory of the trial's processes, 20 Hz, peak {when}; context and allocator's cache included"
        return Measurement(NAME, peak, "B", "lower", method=method, scope="process", flags=flags)
    refusal = _no_delta(sampler, before)
    if refusal:
        return _null(refusal)
    assert before.memory is not None
    values = window.values(sampler.series["memory"])
    delta = float(values.max(initial=0.0)) - before.memory
    if delta <= 0:
        return _null(f"the device used no more memory {when} than before the trial")
    cause = (
        "NVML reports no memory per process"
        if sampler.memory_hidden
        else "process ids belong to another namespace (a container)"
    )
    method = (
        f"NVML memory of the device minus that before the trial, 20 Hz, peak {when}; "
        f"{cause}, and no other process used the device"
    )
    return Measurement(NAME, delta, "B", "lower", method=method, scope="device_delta", flags=flags)


def _no_delta(sampler: Sampler, before: DeviceState) -> str | None:
    """Return why the device's memory cannot be attributed to the trial; None if it can."""
    if "memory" in sampler.unavailable:
        return sampler.unavailable["memory"]
    if before.memory is None:
        return "the memory in use before the trial is not known"
    if before.offenders:
        return f"the device was not free: {'; '.join(before.offenders)}"
    return _not_alone(sampler)


def _not_alone(sampler: Sampler) -> str | None:
    """Return which other processes may have used the device; None if the trial had it to itself."""
    if "processes" in sampler.unavailable:
        return f"cannot check whether another process was on the device: {sampler.unavailable['processes']}"
    if sampler.others:
        return f"another process was on the device: {', '.join(map(str, sorted(sampler.others)))}"
    if len(sampler.unidentified) > 1:
        return (
            f"{len(sampler.unidentified)} processes of another namespace were on the device, "
            "and it is unknown which is the trial's"
        )
    if not sampler.unidentified and not sampler.memory_hidden:
        return "NVML names no process on the device, so the memory cannot be attributed"
    return None


def _null(reason: str) -> Measurement:
    return Measurement(NAME, None, "B", "lower", scope="torch_only", reason=reason)
