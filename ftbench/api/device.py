"""The interface to a device's own instruments, queried from outside a trial."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NotMeasured


@dataclass(frozen=True)
class DeviceProcess:
    """A process that uses a device."""

    pid: int
    """Its id as the driver reports it: in a container, the id on the host."""
    memory: int | None
    """Bytes it uses there; None if the driver does not report them."""


class DeviceProbe:
    """Reads one device. This base class reads none: every question raises `why`."""

    def __init__(self, why: str = "there is no device to ask") -> None:
        self.why = why
        """Why a question has no answer."""

    def partitioned(self) -> bool:
        """Return whether the device is partitioned (MIG), so that its figures cover all partitions.

        Raises:
            NotMeasured: here and below, the device does not report it; the message is the reason.
        """
        raise NotMeasured(self.why)

    def memory(self) -> int:
        """Return the bytes in use by all processes, without the driver's own reserve."""
        raise NotMeasured(self.why)

    def capacity(self) -> int:
        """Return the total bytes."""
        raise NotMeasured(self.why)

    def processes(self) -> tuple[DeviceProcess, ...]:
        """Return the processes that compute on it."""
        raise NotMeasured(self.why)

    def power(self) -> float:
        """Return the power drawn, in watts."""
        raise NotMeasured(self.why)

    def energy(self) -> float:
        """Return the energy drawn since the driver was loaded, in joules."""
        raise NotMeasured(self.why)

    def utilisation(self) -> float:
        """Return the fraction of the last sampling period in which a kernel ran, from 0 to 1."""
        raise NotMeasured(self.why)

    def clock(self) -> float:
        """Return the frequency of the multiprocessors, in hertz."""
        raise NotMeasured(self.why)

    def temperature(self) -> float:
        """Return the temperature of the chip, in degrees Celsius."""
        raise NotMeasured(self.why)

    def throttling(self) -> frozenset[str]:
        """Return what limits the clocks now, such as `thermal slowdown`; a chosen clock and idling do not count."""
        raise NotMeasured(self.why)


@dataclass(frozen=True)
class DeviceState:
    """State of a device just before a trial uses it."""

    memory: int | None = None
    """Bytes in use; None if the device does not report them."""
    power: float | None = None
    """Watts drawn while this run did not use it; None if the device does not report them."""
    offenders: tuple[str, ...] = ()
    """What kept it from returning to its initial state until the timeout; one line each."""
