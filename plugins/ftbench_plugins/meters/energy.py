"""Meter for a GPU's memory, power, energy and clocks; it runs in the runner, so readings survive a trial that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from ftbench import Measurement, Meter, NotMeasured, Watch
from ftbench.meters import Samples

from .device_memory import NAME, PARTITIONED, device_memory
from .sampler import PERIOD, Sampler, downsampled, of_session
from .window import Window, training, whole

if TYPE_CHECKING:
    from ftbench.meters import DeviceProbe

    from .sampler import Clock, Series

POINTS = 120
"""Points of memory and power kept per trial."""
SHORTEST_ENERGY = 10.0
"""Seconds; in shorter windows the counter's step size distorts the result."""
DISAGREEMENT = 0.10
"""Largest relative difference allowed between the counter and the integrated power."""
STARVED = 0.10
"""Share of missed ticks above which peaks may have been missed."""
ENERGY_METHOD = "difference of NVML's energy counter over the window; whole device, idle power included"


class DeviceMeter(Meter):
    """Samples the trial's device at 20 Hz in a thread of the runner; readings survive a trial that dies."""

    where: ClassVar[Literal["trial", "runner"]] = "runner"
    clock: Clock | None = None

    def start(self, watch: Watch) -> None:
        """Take the first sample and start the sampler."""
        self._watch = watch
        self._sampler = Sampler(watch.probe, of_session(watch.pid), self.clock)
        self._partitioned = _partitioned(watch.probe)
        self._sampler.start()

    def stop(self) -> list[Measurement]:
        """Stop the sampler and return the measurements of the device."""
        sampler = self._sampler
        sampler.stop()
        self._train = training(self._watch.spans, sampler.ended) or Window(
            [(sampler.began, sampler.ended)], "whole trial"
        )
        self._flags = self._common_flags()
        return [
            self._memory(),
            self._energy("energy", whole(sampler.series["energy"])),
            self._energy("train_energy", self._train),
            self._mean("mean_power", "power", "W", "lower"),
            self._idle_power(),
            self._mean(
                "sm_utilisation",
                "utilisation",
                "1",
                "none",
                "share of the time in which any kernel ran, however small; ",
            ),
            self._mean("sm_clock", "clock", "Hz", "none"),
            self._temperature(),
            self._throttled(),
            *self._sampler_readings(),
        ]

    def samples(self) -> list[Samples]:
        """Return memory over the whole trial (the trial's own if reported, otherwise the device's) and power."""
        sampler = self._sampler
        own = bool(sampler.own.values) and max(sampler.own.values) > 0
        found = [
            (
                "device memory",
                "B",
                sampler.own if own else sampler.series["memory"],
                "the trial's processes" if own else "the whole device",
            ),
            ("device power", "W", sampler.series["power"], "the whole device"),
        ]
        return [
            Samples(name, unit, points, scope)
            for name, unit, series, scope in found
            if len(points := downsampled(series, POINTS)) > 1
        ]

    def disturbances(self) -> tuple[str, ...]:
        """Return flags for throttled clocks and for other processes on the device."""
        return tuple(flag for flag in self._flags if flag != "starved sampler")

    def _common_flags(self) -> tuple[str, ...]:
        sampler, found = self._sampler, []
        if sampler.missed > STARVED * (sampler.missed + sampler.ticks):
            found.append("starved sampler")
        if sampler.others or self._watch.before.offenders:
            found.append("shared device")
        if self._throttled_share():
            found.append("throttled")
        return tuple(found)

    def _throttled_share(self) -> float:
        """Return the share of the training's samples with throttled clocks."""
        series = self._sampler.throttled
        return float(self._train.values(series).mean()) if len(series) else 0.0

    def _memory(self) -> Measurement:
        if self._partitioned:
            return Measurement(NAME, None, "B", "lower", scope="torch_only", reason=PARTITIONED)
        flags = tuple(flag for flag in self._flags if flag == "starved sampler")
        flags += tuple(f"device not at its baseline: {line}" for line in self._watch.before.offenders)
        return device_memory(self._sampler, self._watch.before, self._train, flags)

    def _energy(self, name: str, window: Window) -> Measurement:
        counter, power = self._sampler.series["energy"], self._sampler.series["power"]
        reason = self._missing_reason("energy", counter)
        if reason is None and bool(np.any(np.diff(np.asarray(counter.values)) < 0)):
            reason = "the energy counter went backwards: the driver was reloaded"
        if reason is None and len(counter) < 2:
            reason = "the trial ended before the second sample"
        if reason is not None:
            return Measurement(name, None, "J", "lower", scope=f"device, {window.name}", reason=reason)
        used = window.growth(counter)
        flags = list(self._flags)
        if window.seconds < SHORTEST_ENERGY:
            flags.append("short window")
        if "power" not in self._sampler.unavailable:
            integrated = window.integral(power)
            if abs(integrated - used) > DISAGREEMENT * max(used, 1e-9):
                flags.append(f"power adds up to {integrated:.0f} J")
        return Measurement(
            name, used, "J", "lower", method=ENERGY_METHOD, scope=f"device, {window.name}", flags=tuple(flags)
        )

    def _mean(
        self, name: str, quantity: str, unit: str, direction: Literal["lower", "none"], method: str = ""
    ) -> Measurement:
        series, scope = self._sampler.series[quantity], f"device, {self._train.name}"
        reason = self._missing_reason(quantity, series)
        if reason is not None:
            return Measurement(name, None, unit, direction, scope=scope, reason=reason)
        value = float(self._train.values(series).mean())
        return Measurement(
            name,
            value,
            unit,
            direction,
            method=f"{method}mean of NVML's readings, 20 Hz",
            scope=scope,
            flags=self._flags,
        )

    def _idle_power(self) -> Measurement:
        name, power = "idle_power", self._watch.before.power
        if power is None or self._partitioned:
            reason = (
                self._missing_reason("power", self._sampler.series["power"])
                or "the power before the trial is not known"
            )
            return Measurement(name, None, "W", scope="device", reason=reason)
        return Measurement(
            name,
            power,
            "W",
            method="NVML's reading just before the trial; not subtracted from other values",
            scope="device",
        )

    def _temperature(self) -> Measurement:
        name, series = "peak_temperature", self._sampler.series["temperature"]
        reason = self._missing_reason("temperature", series)
        if reason is not None:
            return Measurement(name, None, "°C", scope="device, whole trial", reason=reason)
        return Measurement(
            name, max(series.values), "°C", method="highest of NVML's readings, 20 Hz", scope="device, whole trial"
        )

    def _throttled(self) -> Measurement:
        name, scope = "throttled_share", f"device, {self._train.name}"
        reason = self._missing_reason("throttling", self._sampler.throttled)
        if reason is not None:
            return Measurement(name, None, "1", "lower", scope=scope, reason=reason)
        share = self._throttled_share()
        causes = tuple(f"throttled: {cause}" for cause in sorted(self._sampler.throttle_reasons)) if share else ()
        method = "share of the samples in which NVML names a reason for throttled clocks, 20 Hz"
        return Measurement(name, share, "1", "lower", method=method, scope=scope, flags=causes)

    def _sampler_readings(self) -> list[Measurement]:
        """Return how well the sampler kept its schedule, and its CPU cost."""
        sampler, scope = self._sampler, "sampler"
        seconds = sampler.ended - sampler.began
        if sampler.dead or sampler.ticks < 2 or seconds <= 0:
            reason = next(iter(sampler.unavailable.values()), "the trial ended before the second sample")
            return [Measurement(n, None, u, scope=scope, reason=reason) for n, u in _SAMPLER_UNITS]
        found = (seconds / (sampler.ticks - 1), float(sampler.missed), sampler.cost / seconds)
        methods = (
            f"mean time between two samples; nominal {PERIOD} s",
            "ticks skipped because the sampler was late",
            "CPU time of its thread over wall time",
        )
        return [
            Measurement(n, v, u, method=m, scope=scope)
            for (n, u), v, m in zip(_SAMPLER_UNITS, found, methods, strict=True)
        ]

    def _missing_reason(self, quantity: str, series: Series) -> str | None:
        """Return why a quantity is unknown; None if it is known."""
        if quantity in self._sampler.unavailable:
            return self._sampler.unavailable[quantity]
        if self._partitioned:
            return PARTITIONED
        return None if len(series) else "the trial ended before the first sample"


_SAMPLER_UNITS = (("sampling_interval", "s"), ("sampling_missed", "ticks"), ("sampling_cost", "1"))


def _partitioned(probe: DeviceProbe) -> bool:
    """Return whether the GPU is partitioned (MIG); if it does not answer, False: other readings report the reason."""
    try:
        return probe.partitioned()
    except NotMeasured:
        return False
