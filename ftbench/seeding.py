"""One seed for every source of randomness; SpecAugment and some processors draw from numpy's."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


def seed_all(*seeds: int) -> None:
    """Seed Python, numpy and torch from a tuple of whole numbers."""
    import torch

    mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 - the global generator is the one transformers draws from
    torch.manual_seed(mixed)


@contextmanager
def seeds_kept() -> Iterator[None]:
    """Leave every source of randomness as it was."""
    import torch

    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - as above
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002
