"""Meter for parameter counts: trained, stored per task, and used at inference."""

from __future__ import annotations

from ftbench import Measurement, Meter, Watch


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
        """Return the counts; trainable means passed to an optimizer at any point of the trial."""
        learner = self._watch.learner
        assert learner is not None
        trained: dict[tuple[str, str], int] = {}
        for trace in self._watch.traces:
            for name, size in trace.trained.items():
                trained[_owner_and_name(name, trace.task, learner.roles.head)] = size
        head = sum(size for (task, _), size in trained.items() if task)
        backbone = sum(size for (task, _), size in trained.items() if not task)
        final = sum(parameter.numel() for parameter in learner.model.parameters())
        union = "union of the parameters passed to optimizers"
        return [
            _count("trainable_parameters", head + backbone, union),
            _count("trainable_backbone_parameters", backbone, f"{union}, without heads"),
            _count("trainable_head_parameters", head, f"{union}, heads only"),
            _count("pretrained_parameters", self._before, "unique parameters of the loaded model, one head included"),
            _count("inference_parameters", final, "unique parameters of the finished model, one head included"),
            Measurement(
                "stored_bytes",
                float(4 * (head + backbone)),
                "B",
                "lower",
                method="trained parameters in fp32: the storage needed in addition to the pretrained weights",
            ),
        ]


def _owner_and_name(name: str, task: str, head: tuple[str, ...]) -> tuple[str, str]:
    """Return a parameter's task ("" for the backbone) and its name without the head's prefix, whatever the stage."""
    if name.startswith("heads."):
        owner, _, rest = name.removeprefix("heads.").partition(".")
        return owner, rest
    return (task if name.startswith(tuple(f"{module}." for module in head)) else "", name)


def _count(name: str, value: int, method: str) -> Measurement:
    return Measurement(name, float(value), "parameters", "lower", method=method)
