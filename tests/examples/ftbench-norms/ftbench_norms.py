"""Norm tuning for ftbench: train the layer norms and the head (Zhao et al. 2024)."""

from dataclasses import dataclass

from ftbench import Bench, Learner, Strategy, hookimpl


@dataclass
class NormTuning(Strategy):
    """Train the weights and biases of every layer norm, and the head."""

    lr_ratio = 10.0

    biases: bool = True
    """Train the norms' biases too."""

    def prepare(self, learner: Learner, bench: Bench) -> None:
        """Freeze everything else."""
        learner.freeze_backbone()
        for name, parameter in learner.model.named_parameters():
            if "norm" in name.lower() and (self.biases or not name.endswith("bias")):
                parameter.requires_grad = True


@hookimpl
def ftbench_strategies():
    return {"packaged-norm-tuning": NormTuning}
