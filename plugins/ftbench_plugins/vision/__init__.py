"""Vision tasks, on user data and built-in data, and image augmentations."""

from collections.abc import Mapping

from ftbench import Augmentation, Task, hookimpl

from .augmentations.colour_jitter import ColourJitter
from .augmentations.cutmix import CutMix
from .augmentations.horizontal_flip import HorizontalFlip
from .augmentations.mixup import Mixup
from .augmentations.randaugment import RandAugment
from .augmentations.random_crop import RandomCrop
from .augmentations.rotation import Rotation
from .classification import ImageClassification
from .digits import Digits, Digits04, Digits59


@hookimpl
def ftbench_tasks() -> Mapping[str, type[Task]]:
    """Offer the tasks of this package."""
    return {
        "image-classification": ImageClassification,
        "digits": Digits,
        "digits-0-4": Digits04,
        "digits-5-9": Digits59,
    }


@hookimpl
def ftbench_augmentations() -> Mapping[str, type[Augmentation]]:
    """Offer the augmentations of this package."""
    return {
        "horizontal-flip": HorizontalFlip,
        "random-crop": RandomCrop,
        "rotation": Rotation,
        "colour-jitter": ColourJitter,
        "randaugment": RandAugment,
        "mixup": Mixup,
        "cutmix": CutMix,
    }
