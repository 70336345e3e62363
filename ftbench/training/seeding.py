"""One seed for every source of randomness; SpecAugment and some processors draw from numpy's."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def seed_all(*seeds: int) -> None:
    """Seed Python, numpy and torch from a tuple of whole numbers."""
    import torch

    mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 - the global generator is the one transformers draws from
    torch.manual_seed(mixed)


def random_state() -> dict[str, Any]:
    """Give the state of every source of randomness, as lists and tensors."""
    import torch

    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]  # it has no types
    return {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state(), "cuda": cards}  # noqa: NPY002


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put every source of randomness back to what `random_state` gave."""
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002 - as above
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


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
