"""Whose memory on a device it is: the trial's processes' where the driver tells them, else what a device alone has more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Measurement

if TYPE_CHECKING:
    from ftbench.meters import DeviceState

    from .sampler import Sampler
    from .window import Window

NAME = "peak_device_memory"
PARTITIONED = "MIG is on: NVML's figures are those of the whole card"


def device_memory(sampler: Sampler, before: DeviceState, window: Window, flags: tuple[str, ...]) -> Measurement:
    """Give the peak in bytes; its scope is `process`, `device_delta`, or `torch_only` where only torch's allocator can tell."""
    when = "during training" if window.name == "train" else "over the whole trial, which told of no training"
    if len(sampler.own) and not sampler.silent:
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
        return _null(f"the device held no more {when} than before the trial")
    cause = (
        "NVML gives no memory of single processes"
        if sampler.silent
        else "process ids are those of another namespace (a container)"
    )
    method = (
        f"NVML memory of the device less that before the trial, 20 Hz, peak {when}; {cause}, and nobody else was on it"
    )
    return Measurement(NAME, delta, "B", "lower", method=method, scope="device_delta", flags=flags)


def _no_delta(sampler: Sampler, before: DeviceState) -> str | None:
    """Say why the device's own figure does not stand for the trial's; None where it does."""
    if "memory" in sampler.lost:
        return sampler.lost["memory"]
    if before.memory is None:
        return "the memory in use before the trial is not known"
    if before.offenders:
        return f"the device was not free: {'; '.join(before.offenders)}"
    return _not_alone(sampler)


def _not_alone(sampler: Sampler) -> str | None:
    """Say who may have been on the device beside the trial; None where it was alone."""
    if "processes" in sampler.lost:
        return f"nobody can tell whether another process was on the device: {sampler.lost['processes']}"
    if sampler.foreign:
        return f"another process was on the device: {', '.join(map(str, sorted(sampler.foreign)))}"
    if len(sampler.unseen) > 1:
        return f"{len(sampler.unseen)} processes of another namespace were on the device, and nobody can tell which is the trial's"
    if not sampler.unseen and not sampler.silent:
        return "NVML names no process on the device, so that nobody can tell whose memory it is"
    return None


def _null(reason: str) -> Measurement:
    return Measurement(NAME, None, "B", "lower", scope="torch_only", reason=reason)
