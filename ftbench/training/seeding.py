"""Seed, save and restore every source of randomness; SpecAugment and some processors draw from numpy's generator."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def seed_all(*seeds: int) -> None:
    """Seed Python, numpy and torch from a tuple of integers."""
    import torch

    mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)  # noqa: NPY002 - the global generator is the one transformers draws from
    torch.manual_seed(mixed)


def random_state() -> dict[str, Any]:
    """Return the state of every source of randomness, as lists and tensors."""
    import torch

    gpus: list[Any] = []
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        gpus = torch.cuda.get_rng_state_all()
    numpys = np.random.get_state()  # noqa: NPY002 - the global generator, see `seed_all`
    return {"python": random.getstate(), "numpy": numpys, "torch": torch.get_rng_state(), "cuda": gpus}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore every source of randomness from what `random_state` returned."""
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002 - the global generator, see `seed_all`
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def seeds_kept() -> Iterator[None]:
    """Restore every source of randomness at the end."""
    import torch

    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator, see `seed_all`
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002 - the global generator, see `seed_all`
