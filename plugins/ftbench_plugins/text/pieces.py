"""Examples of several pieces: the choices of a question, the windows of a long text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ftbench import Ragged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Encoded
    from numpy.typing import NDArray

LENGTHS = "lengths"
"""Column of the lengths of an example's pieces, whose values are concatenated."""

OFFSETS = "offsets"
"""Column of each token's characters, two numbers per token; not an input of the network."""


def joined(pieces: Sequence[Sequence[Sequence[int]]], padding: int = 0) -> Ragged:
    """Concatenate the pieces of each example."""
    return Ragged.of([[value for piece in example for value in piece] for example in pieces], padding=padding)


def lengths(pieces: Sequence[Sequence[Sequence[int]]]) -> Ragged:
    """Return the lengths of each example's pieces."""
    return Ragged.of([[len(piece) for piece in example] for example in pieces])


def torn(encoded: Encoded, rows: Sequence[int]) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Build a padded batch of the pieces of the examples at `rows`.

    Returns:
        Model inputs and `attention_mask`, each [pieces, longest piece]; and the position in `rows` of each piece's
        example, [pieces].
    """
    found = [sizes(encoded, row) for row in rows]
    flat = np.concatenate(found)
    owners = np.repeat(np.arange(len(rows)), [len(own) for own in found])
    real = np.arange(int(flat.max()))[None] < flat[:, None]
    batch: dict[str, NDArray[Any]] = {}
    for name in encoded.columns:
        if name not in (LENGTHS, OFFSETS):
            column = _column(encoded, name)
            values = np.full(real.shape, column.padding, column.values.dtype)
            values[real] = np.concatenate([column[row] for row in rows])
            batch[name] = values
    batch["attention_mask"] = real.astype(np.int64)
    return batch, owners


def sizes(encoded: Encoded, row: int) -> NDArray[Any]:
    """Return the lengths of an example's pieces, [pieces]."""
    return _column(encoded, LENGTHS)[row]


def offsets(encoded: Encoded, row: int) -> list[NDArray[Any]]:
    """Return the character offsets of an example's tokens, [tokens, 2] per piece."""
    return np.split(_column(encoded, OFFSETS)[row].reshape(-1, 2), np.cumsum(sizes(encoded, row))[:-1])


def _column(encoded: Encoded, name: str) -> Ragged:
    column = encoded.columns[name]
    assert isinstance(column, Ragged)
    return column


def tensors(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Convert a batch to torch tensors."""
    import torch

    return {name: torch.from_numpy(values) for name, values in batch.items()}
