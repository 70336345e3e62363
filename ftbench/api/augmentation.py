"""The contract of an augmentation, a random change of training examples, and of tasks that accept augmentations.

There are three kinds: an `InputAugmentation` changes the raw input before it is encoded, a `FeatureAugmentation` the
output of the backbone's processor, a `MixingAugmentation` combines two encoded examples. They are applied in this
order; within a kind, in the order of the suite.

A raw input is a tuple of texts for text, a PIL image for vision, and a `Sound` for speech.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt, Le

from .card import OUTPUT_TYPES, POOLED, OutputType
from .task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .encoded import Encoded
    from .splits import Example


@dataclass(frozen=True)
class Sound:
    """A raw input of speech."""

    samples: NDArray[np.float32]
    """One channel, full scale 1; shape [samples]."""
    rate: int
    """Samples a second."""


@dataclass(frozen=True)
class Item:
    """One encoded example."""

    features: Mapping[str, NDArray[Any]]
    """Model inputs by name, without the axis of the batch."""
    label: Any
    """What is wanted of it; where examples are mixed, shares of the classes, shape [classes]."""
    units: float
    """What it weighs in the task's throughput unit."""


@dataclass(kw_only=True)
class Augmentation(ABC):
    """A random change of training examples. Options are dataclass fields; derive from one of the three kinds below."""

    modality: ClassVar[str]
    """`text`, `vision` or `speech`: the tasks it is for."""
    answers: ClassVar[frozenset[OutputType]] = POOLED
    """What tasks may ask for, so that the answer stays true."""

    probability: Annotated[float, Gt(0), Le(1)] = 1.0
    """Probability of changing an example, drawn for each example and epoch."""

    def fingerprint(self) -> Mapping[str, Any]:
        """Return what decides the change besides the options (hashes of files), as JSON values; must not import torch.

        Raises:
            UserError: a file named by an option is missing or invalid; each line begins with the option.
        """
        return {}


class InputAugmentation(Augmentation):
    """Changes a raw input."""

    @abstractmethod
    def change(self, value: Any, rng: np.random.Generator) -> Any:
        """Return the changed input, of the same type, without modifying `value`; draw all random numbers from `rng`."""

    def prepare(self, values: Iterable[Any], sign: Callable[[], None]) -> None:
        """Work out once, before training begins, what is slow; by default nothing, and `values` are not read.

        Args:
            values: the raw inputs of the training split.
            sign: to be called now and then, as a sign of life.
        """
        del values, sign


class FeatureAugmentation(Augmentation):
    """Changes the features of one example."""

    @abstractmethod
    def change_features(
        self, features: Mapping[str, NDArray[Any]], rng: np.random.Generator
    ) -> Mapping[str, NDArray[Any]]:
        """Return the changed features without modifying the given arrays."""


class MixingAugmentation(Augmentation):
    """Combines an example with another one of the training split."""

    answers: ClassVar[frozenset[OutputType]] = frozenset({"class", "labels"})

    @abstractmethod
    def mix(self, one: Item, other: Item, rng: np.random.Generator) -> Item:
        """Return the mixture; the labels of both are class proportions, float32, shape [classes]."""


@dataclass(kw_only=True)
class Augmentable(Task):
    """A task that encodes in two steps: what the raw inputs are, and what a processor makes of them."""

    augment: tuple[Augmentation, ...] = ()
    """Random changes of training examples, drawn in each epoch: names, or tables with `use` and options."""

    @abstractmethod
    def raw_inputs(self, examples: Sequence[Example[Any]], processor: Any) -> list[Any]:
        """Read the raw inputs, one an example, as `ftbench.api.augmentation` describes them by modality."""

    @abstractmethod
    def encode_inputs(self, inputs: Sequence[Any], examples: Sequence[Example[Any]], processor: Any) -> Encoded:
        """Turn the raw inputs of `examples`, which may have been changed, into arrays with the backbone's processor."""

    def encode(self, examples: Sequence[Example[Any]], processor: Any) -> Encoded:
        """Turn examples into arrays with the backbone's processor; nothing is changed."""
        return self.encode_inputs(self.raw_inputs(examples, processor), examples, processor)


def augmentation_mistakes(task: Task, names: Sequence[str]) -> list[str]:
    """List the augmentations that are not for a task, a line each.

    Args:
        task: any task.
        names: what its augmentations are called, in their order.
    """
    found = []
    for number, (augmentation, name) in enumerate(zip(augmentations(task), names, strict=True), 1):
        if augmentation.modality != task.modality:
            found.append(
                f"augment[{number}]: {name!r} changes {augmentation.modality}, and the task reads {task.modality}"
            )
        elif task.answer not in augmentation.answers:
            served = " or ".join(words for answer, words in OUTPUT_TYPES.items() if answer in augmentation.answers)
            found.append(
                f"augment[{number}]: {name!r} is for tasks that ask for {served}; "
                f"this one asks for {OUTPUT_TYPES[task.answer]}"
            )
    return found


def augmentations(task: Task) -> tuple[Augmentation, ...]:
    """Return the augmentations of a task; none if it has no such option."""
    return task.augment if isinstance(task, Augmentable) else ()


def clean_options(task: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a task's options what does not change its examples as they are."""
    return {name: value for name, value in options.items() if not (isinstance(task, Augmentable) and name == "augment")}


def prepare_augmentations(
    task: Augmentable, examples: Sequence[Example[Any]], processor: Any, sign: Callable[[], None]
) -> None:
    """Run the augmentations' slow preparations for all training examples; read only the examples they ask for."""

    def inputs() -> Iterator[Any]:
        for example in examples:
            yield from task.raw_inputs([example], processor)

    for augmentation in task.augment:
        if isinstance(augmentation, InputAugmentation):
            augmentation.prepare(inputs(), sign)
