"""Three counts that differ: what trains, what must be kept for each task, what answers at inference."""

from __future__ import annotations

from ftbench import Measurement, Meter, Watch


class ParameterMeter(Meter):
    """Counts parameters; tied weights once, head and backbone apart."""

    def start(self, watch: Watch) -> None:
        """Remember where to look."""
        self._watch = watch
        self._before = 0

    def leave(self, phase: str) -> None:
        """Count the model as it was loaded."""
        learner = self._watch.learner
        if phase == "load" and learner is not None:
            self._before = sum(parameter.numel() for parameter in learner.model.parameters())

    def stop(self) -> list[Measurement]:
        """Give the counts; trainable is what optimizers were given, over the whole trial."""
        learner = self._watch.learner
        assert learner is not None
        trained: dict[tuple[str, str], int] = {}
        for trace in self._watch.traces:
            for name, size in trace.trained.items():
                trained[_place(name, trace.task, learner.roles.head)] = size
        head = sum(size for (task, _), size in trained.items() if task)
        backbone = sum(size for (task, _), size in trained.items() if not task)
        final = sum(parameter.numel() for parameter in learner.model.parameters())
        union = "union of what the optimizers were given"
        return [
            _count("trainable_parameters", head + backbone, union),
            _count("trainable_backbone_parameters", backbone, f"{union}, heads apart"),
            _count("trainable_head_parameters", head, f"{union}, heads only"),
            _count("pretrained_parameters", self._before, "unique parameters of the loaded model, one head included"),
            _count("inference_parameters", final, "unique parameters of the finished model, one head included"),
            Measurement(
                "stored_bytes",
                float(4 * (head + backbone)),
                "B",
                "lower",
                method="what trained, in fp32: what must be kept beside the pretrained weights",
            ),
        ]


def _place(name: str, task: str, head: tuple[str, ...]) -> tuple[str, str]:
    """Tell whose head a parameter belongs to, by the name it has in any stage; the backbone's have no task."""
    if name.startswith("heads."):
        owner, _, rest = name.removeprefix("heads.").partition(".")
        return owner, rest
    return (task if name.startswith(tuple(f"{module}." for module in head)) else "", name)


def _count(name: str, value: int, method: str) -> Measurement:
    return Measurement(name, float(value), "parameters", "lower", method=method)
