"""Meter for the exact cost of a training step: floating-point operations, and peak live tensor bytes by purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import Measurement, Meter, NotMeasured, Watch

if TYPE_CHECKING:
    from ftbench import FinishedTrial
    from ftbench.meters import Accounting

PEAK = "peak_tensor_bytes"
PARTS = {
    "peak_parameter_bytes": ("parameters", "parameters and buffers of the network"),
    "peak_gradient_bytes": ("gradients", "gradients"),
    "peak_optimizer_bytes": ("optimizer", "optimizer state"),
    "peak_activation_bytes": ("activations", "inputs, activations and temporary tensors"),
    "peak_extra_bytes": ("extra", "the strategy's own tensors: a teacher, anchors, Fisher information"),
}
"""Measurement → part of the footprint, and a description of it."""
UNITS = {"flops_per_step": "FLOP", "flops_per_example": "FLOP", PEAK: "B", **dict.fromkeys(PARTS, "B")}


class AccountingMeter(Meter):
    """Requests the accounting of the trial's training after everything else.

    The figures are the same on every run with the same software.
    """

    def start(self, watch: Watch) -> None:
        """Remember the device."""
        self._device = watch.device
        self._found = _unknown("the trial ended before it was accounted for")

    def examine(self, finished: FinishedTrial) -> None:
        """Request the accounting."""
        try:
            found = finished.account()
        except NotMeasured as error:
            self._found = _unknown(str(error))
        else:
            self._found = self._readings(found) if found.trainable_parameters else _unknown("nothing was trained")

    def stop(self) -> list[Measurement]:
        """Return FLOPs and peak bytes, or why they are unknown."""
        return self._found

    def _readings(self, found: Accounting) -> list[Measurement]:
        device = "a CUDA GPU" if self._device.startswith("cuda") else "a CPU"
        how = (
            f"batch of {found.batch_size}, as long as the longest of 256 training examples; "
            f"fake tensors, kernels of {device}"
        )
        flops = (
            "matrix products, convolutions and attention of the last step, forward and backward, by torch's formulas"
        )
        peak = "peak bytes of live tensors during training, including a teacher's training"
        return [
            _reading("flops_per_step", found.flops, f"{flops}; {how}"),
            _reading("flops_per_example", found.flops_per_example, f"{flops}, over its examples; {how}"),
            _reading(PEAK, found.peak.total, f"{peak}; {how}"),
            *(_reading(name, getattr(found.peak, part), f"of {PEAK}: {what}") for name, (part, what) in PARTS.items()),
        ]


def _reading(name: str, value: int, method: str) -> Measurement:
    return Measurement(name, float(value), UNITS[name], "lower", method=method, scope="train")


def _unknown(reason: str) -> list[Measurement]:
    return [Measurement(name, None, unit, "lower", scope="train", reason=reason) for name, unit in UNITS.items()]
