"""The training protocol: everything that is equal for all strategies of a suite."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic resolves the field types at run time
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

OptimizerName = Literal[
    "adamw", "adam", "sgd", "adafactor", "adadelta", "adagrad", "adamax", "asgd", "nadam", "radam", "rmsprop", "rprop"
]


ADDED_LATER: Mapping[str, Any] = {"group_by_length": False}
"""Defaults of fields added in later versions; trials that use them keep the ids they had before."""
OF_THE_LEARNER = ("dropout", "precision", "gradient_checkpointing")
"""Fields that apply to a learner for its whole life, across the tasks of a sequence."""


@dataclass(frozen=True)
class Training:
    """One protocol for all strategies."""

    epochs: Annotated[int, Ge(1)] | None = None
    """Passes over the training split; give this or `steps`."""
    steps: Annotated[int, Ge(1)] | None = None
    """Optimizer steps."""
    batch_size: Annotated[int, Ge(1)] = 16
    """Examples per optimizer step."""
    accumulation: Annotated[int, Ge(1)] = 1
    """Micro-batches an optimizer step is computed in; changes memory, not the result."""
    group_by_length: bool = False
    """Batch examples of similar length to reduce padding: sort a long part of the random order, cut it into batches and
    shuffle the batches. The order is the same for every strategy. No effect if all inputs have the same length."""
    eval_batch_size: Annotated[int, Ge(1)] = 128
    """Examples per batch of an evaluation."""
    lr: Annotated[float, Gt(0)] | Literal["auto"] = "auto"
    """Learning rate; `auto` takes each strategy's published default for the backbone."""
    optimizer: OptimizerName = "adamw"
    """Any optimizer of torch that takes one gradient a step, by its name in small letters; fused where it can be."""
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    """Its further options, such as `{ momentum = 0.9 }`."""
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt", "step", "plateau"] = "linear"
    """Decay of the learning rate after the warm-up: none, linear or half a cosine to 0, 1/√step, by `step_factor` at
    each of `step_at`, or by it whenever `patience` validations in a row did not improve."""
    step_at: tuple[Annotated[float, Gt(0), Lt(1)], ...] = (0.5, 0.75)
    """Shares of the steps at which the schedule `step` falls."""
    step_factor: Annotated[float, Gt(0), Lt(1)] = 0.1
    """What the learning rate is multiplied by where the schedules `step` and `plateau` fall."""
    patience: Annotated[int, Ge(1)] = 2
    """Validations in a row, none better than the best before, after which the schedule `plateau` falls."""
    warmup: Annotated[float, Ge(0), Le(1)] = 0.1
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: Annotated[float, Ge(0)] = 0.01
    """Weight decay, AdamW's decoupled from the gradient; vectors (biases, norms) are left out."""
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of each label that is spread over all classes (Szegedy et al. 2016, section 7); for classifications."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: an example counts as much as its class is rare in the training split; for classifications."""
    clip: Annotated[float, Gt(0)] | None = 1.0
    """Largest norm of the gradient of all that trains."""
    dropout: Annotated[float, Ge(0), Lt(1)] | Literal["model"] = "model"
    """Probability of every dropout of the backbone and its head; `model` keeps its configuration. A strategy's own
    dropout is an option of the strategy."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of forward passes, evaluations included, by torch's autocast; weights, optimizer and losses stay in
    fp32. With fp16 the loss is scaled, and a step whose gradient overflows is skipped."""
    gradient_checkpointing: bool = False
    """Recompute the inside of each residual block in the backward pass instead of storing it: less memory, about a
    third more time, the same gradients; applies to second learners too."""
    compile: bool = False
    """Compile the forward and backward pass of training with torch; the first steps then take a minute or more, and
    dropout draws different numbers. Scoring is not compiled."""
    validations: Annotated[int, Ge(0)] = 1
    """How many times the validation split is scored while training, evenly spaced; not in the training time."""
    watch: str = "loss"
    """The metric of the validation split that `plateau`, `early_stopping` and `keep` go by."""
    min_delta: Annotated[float, Ge(0)] = 0.0
    """What a validation must be better by, more than this, than the best before: for `plateau` and `early_stopping`."""
    early_stopping: Annotated[int, Ge(0)] = 0
    """Validations in a row, none better than the best before, after which training stops; 0 makes every step."""
    keep: Literal["last", "best"] = "last"
    """Which weights are scored: the last, or those of the best validation (the first one, if tied), kept in memory."""


def goes_by_validation(training: Training) -> bool:
    """Return whether scores on the validation split influence a training."""
    return training.schedule == "plateau" or training.early_stopping > 0 or training.keep == "best"
