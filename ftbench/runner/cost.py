"""Compute what a trial costs in money and emits in CO2, from the suite's price and carbon intensity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..api.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..api.measurement import Shared
    from ..suite.suite import Cost

JOULES_PER_KWH = 3.6e6


def charged_time(seconds: float, shared: Iterable[Shared]) -> Measurement:
    """Return the time a trial would take alone: its wall time, plus the time others spent on shared work it reused."""
    elsewhere = [one for one in shared if one.elsewhere]
    named = ", ".join(f"{one.name} {one.elsewhere:.1f} s" for one in elsewhere)
    method = "wall time" + (f", and what others spent on work this trial uses too: {named}" if named else "")
    return Measurement(
        "charged_time",
        seconds + sum(one.elsewhere for one in elsewhere),
        "s",
        "lower",
        method=method,
        scope="whole trial",
    )


def without_shared(measurement: Measurement, shared: Iterable[Shared]) -> Measurement:
    """Flag an energy or peak memory that does not include the shared work a trial reused."""
    named = [one.name for one in shared if one.elsewhere]
    if not named or not (measurement.unit == "J" or measurement.name.endswith("_memory")):
        return measurement
    return replace(measurement, flags=(*measurement.flags, f"without shared work: {', '.join(dict.fromkeys(named))}"))


def cost_measurements(cost: Cost, seconds: float, measured: Iterable[Measurement]) -> list[Measurement]:
    """Return the measurements `cost` and `emissions` of a trial, failed or not.

    Args:
        cost: the suite's prices.
        seconds: the charged time.
        measured: the trial's other measurements; emissions follow from the one named `energy`, in joules.
    """
    energy = next((m for m in measured if m.name == "energy" and not m.task), None)
    return [_money(cost, seconds), _emissions(cost, energy)]


def _money(cost: Cost, seconds: float) -> Measurement:
    name, scope = "cost", "whole trial"
    if cost.price_per_hour is None:
        return Measurement(
            name, None, cost.currency, "lower", scope=scope, reason="the suite gives no cost.price_per_hour"
        )
    value = cost.price_per_hour * seconds / 3600
    method = f"charged time, {seconds:.1f} s, at {cost.price_per_hour:g} {cost.currency} an hour"
    return Measurement(name, value, cost.currency, "lower", method=method, scope=scope)


def _emissions(cost: Cost, energy: Measurement | None) -> Measurement:
    name, unit, scope = "emissions", "gCO2e", "device, whole trial"
    if cost.grams_per_kwh is None:
        return Measurement(name, None, unit, "lower", scope=scope, reason="the suite gives no cost.grams_per_kwh")
    if energy is None or energy.value is None:
        reason = (
            f"no energy: {energy.reason}" if energy else "no meter gives the energy; add 'energy' to measure.meters"
        )
        return Measurement(name, None, unit, "lower", scope=scope, reason=reason)
    value = cost.grams_per_kwh * energy.value / JOULES_PER_KWH
    method = f"energy of the device alone, {energy.value:.0f} J, at {cost.grams_per_kwh:g} g/kWh"
    return Measurement(name, value, unit, "lower", method=method, scope=scope, flags=energy.flags)
