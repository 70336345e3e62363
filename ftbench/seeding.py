"""One seed for every source of randomness; SpecAugment and some processors draw from numpy's."""

from __future__ import annotations

import random

import numpy as np


def seed_all(*seeds: int) -> None:
    """Seed Python, numpy and torch from a tuple of whole numbers."""
    import torch

    mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 - the global generator is the one transformers draws from
    torch.manual_seed(mixed)
