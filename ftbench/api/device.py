"""The port to a device's own instruments: what may be asked of it from outside a trial, whoever answers."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NotMeasured


@dataclass(frozen=True)
class DeviceProcess:
    """A process that uses a device."""

    pid: int
    """Its id as the driver tells it: in a container that of the host."""
    memory: int | None
    """Bytes it uses there; None where the driver does not say."""


class DeviceProbe:
    """Answers for one device. One that answers nothing but `why` stands where there is none."""

    def __init__(self, why: str = "there is no device to ask") -> None:
        self.why = why
        """Why a question that is not answered is not."""

    def partitioned(self) -> bool:
        """Tell whether the device is divided (MIG), so that its figures are of all parts together.

        Raises:
            NotMeasured: here as below, the device does not tell; the message is the reason.
        """
        raise NotMeasured(self.why)

    def memory(self) -> int:
        """Give the bytes in use, by whomever, without what the driver keeps for itself."""
        raise NotMeasured(self.why)

    def capacity(self) -> int:
        """Give the bytes there are."""
        raise NotMeasured(self.why)

    def processes(self) -> tuple[DeviceProcess, ...]:
        """List the processes that compute on it."""
        raise NotMeasured(self.why)

    def power(self) -> float:
        """Give the power drawn, in watts."""
        raise NotMeasured(self.why)

    def energy(self) -> float:
        """Give the energy drawn since the driver was loaded, in joules."""
        raise NotMeasured(self.why)

    def utilisation(self) -> float:
        """Give the share of the last moments in which a kernel ran, from 0 to 1."""
        raise NotMeasured(self.why)

    def clock(self) -> float:
        """Give the frequency of the multiprocessors, in hertz."""
        raise NotMeasured(self.why)

    def temperature(self) -> float:
        """Give the temperature of the chip, in degrees Celsius."""
        raise NotMeasured(self.why)

    def throttling(self) -> frozenset[str]:
        """Name what holds the clocks down at the moment, such as `thermal slowdown`; a chosen clock and idling do not."""
        raise NotMeasured(self.why)


@dataclass(frozen=True)
class DeviceState:
    """How a device was just before a trial got it."""

    memory: int | None = None
    """Bytes in use; None where the device does not tell."""
    power: float | None = None
    """Watts drawn while nothing of this run used it; None where it does not tell."""
    offenders: tuple[str, ...] = ()
    """Who kept it from its state at the beginning of the run until patience was over; a line each."""
