"""Meter for parameters: how many trained, how many bytes must be kept of them, how many are used at inference."""

from __future__ import annotations

from ftbench import Measurement, Meter, Watch

UNION = "union of the parameters passed to optimizers, a pretraining's included"
METHODS = {
    "trainable_parameters": UNION,
    "trainable_backbone_parameters": f"{UNION}, without heads",
    "trainable_head_parameters": f"{UNION}, heads only",
    "pretrained_parameters": "unique parameters of the loaded model, one head included",
    "inference_parameters": "unique parameters of the finished model, one head included",
    "stored_bytes": "tensors that rebuild the tuned model from the pretrained weights and the seed",
}
"""Measurement → how it is counted."""


class ParameterMeter(Meter):
    """Counts parameters: tied weights once, head and backbone separately."""

    def start(self, watch: Watch) -> None:
        """Start with no count."""
        self._watch = watch
        self._before = 0

    def leave(self, phase: str) -> None:
        """Count the parameters of the model as loaded."""
        learner = self._watch.learner
        if phase == "load" and learner is not None:
            self._before = sum(parameter.numel() for parameter in learner.model.parameters())

    def stop(self) -> list[Measurement]:
        """Return the counts, or why they are unknown."""
        tuned, learner = self._watch.tuned, self._watch.learner
        if tuned is None or learner is None:
            known = {"pretrained_parameters": self._before} if self._before else {}
            return [_count(name, known.get(name)) for name in METHODS]
        final = sum(parameter.numel() for parameter in learner.model.parameters())
        counts = {
            "trainable_parameters": tuned.parameters,
            "trainable_backbone_parameters": tuned.backbone_parameters,
            "trainable_head_parameters": tuned.head_parameters,
            "pretrained_parameters": self._before,
            "inference_parameters": final,
            "stored_bytes": tuned.stored_bytes,
        }
        return [_count(name, value) for name, value in counts.items()]


def _count(name: str, value: int | None) -> Measurement:
    unit = "B" if name == "stored_bytes" else "parameters"
    if value is None:
        return Measurement(name, None, unit, "lower", reason="the trial ended before its training did")
    return Measurement(name, float(value), unit, "lower", method=METHODS[name])
