"""A task whose training examples can be changed at random before they are encoded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .augmentation import Augmentation, InputAugmentation
from .card import OUTPUT_TYPES
from .task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .encoded import Encoded
    from .splits import Example


@dataclass(kw_only=True)
class Augmentable(Task):
    """A task that encodes in two steps: what the raw inputs are, and what a processor makes of them."""

    augment: tuple[Augmentation, ...] = ()
    """Random changes of training examples, drawn anew for each epoch: names, or tables with `use` and options."""

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
                f"augment[{number}]: {name!r} is for tasks that ask for {served}; this one asks for {OUTPUT_TYPES[task.answer]}"
            )
    return found


def augmentations(task: Task) -> tuple[Augmentation, ...]:
    """Give the augmentations of a task; none where it has no such option."""
    return task.augment if isinstance(task, Augmentable) else ()


def clean_options(task: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a task's options what does not change its examples as they are."""
    return {name: value for name, value in options.items() if not (isinstance(task, Augmentable) and name == "augment")}


def prepare_augmentations(
    task: Augmentable, examples: Sequence[Example[Any]], processor: Any, sign: Callable[[], None]
) -> None:
    """Let the augmentations work out what is slow, for all training examples; none is read that none asks for."""

    def inputs() -> Iterator[Any]:
        for example in examples:
            yield from task.raw_inputs([example], processor)

    for augmentation in task.augment:
        if isinstance(augmentation, InputAugmentation):
            augmentation.prepare(inputs(), sign)
