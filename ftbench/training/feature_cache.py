"""Cache the features of a frozen backbone: computed once per example, then read by every step, epoch and trial.

The last module before the head without trained parameters returns its cached output instead of computing it. To verify
that this gives the same result, the first batches are computed both ways.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api.encoded import Ragged
from ..data.chunked import ChunkedEncoded
from ..errors import NotApplicable
from .shared_work import tensors_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from ..api.encoded import Encoded
    from ..api.learner import Learner, ServedTask
    from ..api.task import Task

    Get = Callable[[Any, Callable[[], Mapping[str, Tensor]]], Mapping[str, Tensor]]

LARGEST = 4 * 2**30
"""Maximum bytes of a split's features; larger ones are not cached, because all are in memory while computed."""
TOLERANCE = 1e-4
"""Maximum difference between logits from features and the network's own, relative to the largest logit or to 1."""
VERIFIED_BATCHES = 3
"""Number of batches that are computed both ways."""


@dataclass(frozen=True)
class _Shape:
    """The structure of a module's output, without its tensors."""

    kind: type
    """A tensor, a tuple, or an output class of transformers."""
    length: int
    """Length of a tuple; 0 for other kinds."""

    @classmethod
    def of(cls, output: Any) -> _Shape:
        return cls(type(output), len(output) if isinstance(output, tuple) else 0)

    def filled(self, tensors: Mapping[str, Tensor]) -> Any:
        """Build an output of this structure from tensors."""
        if "" in tensors:
            return tensors[""]
        if self.length:
            return tuple(tensors.get(str(index)) for index in range(self.length))
        return self.kind(**tensors)


def _parts(output: Any) -> list[tuple[str, Tensor]]:
    """List the tensors of a module's output; the rest, such as the states of all layers, is assumed unused by heads."""
    import torch

    if isinstance(output, torch.Tensor):
        return [("", output)]
    named = (
        [(str(index), part) for index, part in enumerate(output)] if isinstance(output, tuple) else list(output.items())
    )
    return [(name, part) for name, part in named if isinstance(part, torch.Tensor)]


class Features:
    """Replaces the frozen part of a learner by cached features.

    Args:
        learner: everything below its head is frozen and in evaluation mode.
        get: returns the cached tensors of a key, or computes them.
        batch_size: examples computed together.
    """

    def __init__(self, learner: Learner, get: Get, batch_size: int) -> None:
        self._learner, self._get, self._batch_size = learner, get, batch_size
        self._stores: dict[int, tuple[Encoded, Mapping[str, Tensor] | None]] = {}
        self._now: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None
        self._name, self._shape = "", _Shape(tuple, 0)
        self._weights = ""
        self._capture: Callable[[Any], None] | None = None

    def enable(self, task: Task, encoded: Encoded, rows: Sequence[Sequence[int]]) -> float:
        """Compute or read the features of a split, and verify on some batches that they give the same logits.

        Args:
            task: collates batches.
            encoded: the split.
            rows: the rows of each batch to verify.

        Returns:
            Median seconds that the frozen part takes for one of these batches.

        Raises:
            NotApplicable: the frozen part cannot be separated, the logits differ, or features cannot be cached.
        """
        import torch

        learner = self._learner
        batches = [
            {name: part.to(learner.device) for name, part in _batch(task, encoded, some).items()} for some in rows
        ]
        learner.train()
        with torch.no_grad():
            self._name = _boundary(learner, batches[0])
        # In training mode a head may be random, for example because of dropout.
        learner.eval()
        module = learner.model.get_submodule(self._name)
        own = module.forward
        seconds: list[float] = []

        def forward(*positional: Any, **named: Any) -> Any:
            if self._now is not None:
                return self._shape.filled(self._gathered(*self._now))
            begun = time.perf_counter()
            output = own(*positional, **named)
            seconds.append(time.perf_counter() - begun)
            self._shape = _Shape.of(output)
            if self._capture is not None:
                self._capture(output)
            return output

        module.forward = forward
        learner.features = self
        try:
            with torch.no_grad():
                self._stores[id(encoded)] = encoded, self._get(self._key(encoded), lambda: self._computed(encoded))
                seconds.clear()
                computed = [learner.forward(batch).logits for batch in batches]
                spent = median(seconds)
                with learner.reading(encoded):
                    cached = [learner.forward(batch).logits for batch in batches]
        except NotApplicable:
            self.step_aside()
            raise
        except Exception as error:
            self.step_aside()
            message = f"the head cannot use cached features: {type(error).__name__}: {error}"
            raise NotApplicable(message) from error
        difference = max(
            float((one - other).abs().max()) / max(1.0, float(one.abs().max()))
            for one, other in zip(computed, cached, strict=True)
        )
        # Written so that NaN counts as a difference.
        if not difference <= TOLERANCE:
            self.step_aside()
            message = f"logits from features differ by {difference:.1g}"
            raise NotApplicable(message)
        return spent

    def step_aside(self) -> None:
        """Restore the original computation of the frozen part."""
        module = self._learner.model.get_submodule(self._name)
        module.__dict__.pop("forward", None)
        self._learner.features = None

    @contextmanager
    def of(self, encoded: Encoded, batch: Mapping[str, Tensor]) -> Iterator[None]:
        """Make the frozen part return cached features of a batch of `encoded`; it computes them if none are cached."""
        store = self._store(encoded)
        self._now = None if store is None else (store, batch)
        try:
            yield
        finally:
            self._now = None

    # -- computing features --------------------------------------------------------------------------------------------

    def _store(self, encoded: Encoded) -> Mapping[str, Tensor] | None:
        known = self._stores.get(id(encoded))
        if known is None:
            store: Mapping[str, Tensor] | None = None
            with suppress(NotApplicable), self._learner.reading(None):
                store = self._get(self._key(encoded), lambda: self._computed(encoded))
            known = self._stores[id(encoded)] = encoded, store
        return known[1]

    def _key(self, encoded: Encoded) -> dict[str, Any]:
        """Return the cache key: everything that decides the features, with hashes of frozen weights and inputs."""
        learner = self._learner
        if not self._weights:
            head = {id(parameter) for parameter in learner.head_parameters()}
            named = [*learner.model.named_parameters(), *learner.model.named_buffers()]
            self._weights = tensors_hash((name, tensor) for name, tensor in named if id(tensor) not in head)
        return {
            "weights": self._weights,
            "network": str(learner.model.get_submodule(self._name)),
            "module": self._name,
            "precision": learner.precision,
            "inputs": _inputs_hash(encoded),
            "batch_size": self._batch_size,
        }

    def _computed(self, encoded: Encoded) -> dict[str, Tensor]:
        """Compute the features of a split.

        Raises:
            NotApplicable: the features are too large, or their shapes vary in a way that is not supported.
        """
        import torch

        learner = self._learner
        task = learner.task
        assert task is not None
        parts: dict[str, list[Tensor]] = {}
        lengths: dict[str, list[int]] = {}
        framed: dict[str, bool] = {}
        size = 0
        was_training = learner.model.training
        learner.eval()
        with torch.no_grad():
            for begin in range(0, len(encoded), self._batch_size):
                rows = range(begin, min(begin + self._batch_size, len(encoded)))
                batch = {name: part.to(learner.device) for name, part in _batch(task, encoded, rows).items()}
                for name, tensor in self._outputs(batch).items():
                    real = _lengths(learner, batch, tensor)
                    rows_of = (
                        list(tensor.cpu())
                        if real is None
                        else [row[:length] for row, length in zip(tensor.cpu(), real, strict=True)]
                    )
                    parts.setdefault(name, []).extend(rows_of)
                    lengths.setdefault(name, []).extend(real or [])
                    framed[name] = "attention_mask" in batch and tensor.shape[1:2] != batch["attention_mask"].shape[1:]
                    size += sum(row.numel() * row.element_size() for row in rows_of)
                if size / (rows.stop / len(encoded)) > LARGEST:
                    message = f"features of {len(encoded)} examples take more than {LARGEST // 2**30} GiB"
                    raise NotApplicable(message)
        if was_training:
            learner.train()
        return dict(_joined(parts, lengths, framed))

    def _outputs(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the output of the frozen part for a batch, by name."""
        found: list[Any] = []
        self._capture = found.append
        try:
            self._learner.forward(batch)
        finally:
            self._capture = None
        return dict(_parts(found[0]))

    def _gathered(self, store: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Collate the cached features of a batch, padded as its inputs are."""
        import torch

        learner, rows = self._learner, batch["rows"].cpu()
        names = [name.removeprefix("whole.") for name in store if name.startswith("whole.")]
        gathered: dict[str, Tensor] = {name: store[f"whole.{name}"][rows] for name in names}
        for key in store:
            kind, _, name = key.partition(".")
            if kind != "values":
                continue
            values, offsets = store[key], store[f"offsets.{name}"].tolist()
            longest = int(batch["attention_mask"].shape[1])
            if store[f"frames.{name}"].item():
                assert learner.frames is not None
                longest = int(learner.frames(torch.tensor(longest)))
            out = torch.zeros((len(rows), longest, *values.shape[1:]), dtype=values.dtype)
            for index, row in enumerate(rows.tolist()):
                begin, end = offsets[row], offsets[row + 1]
                out[index, : end - begin] = values[begin:end]
            gathered[name] = out
        return {name: tensor.to(learner.device, non_blocking=True) for name, tensor in gathered.items()}


def _batch(task: ServedTask, encoded: Encoded, rows: Sequence[int]) -> dict[str, Tensor]:
    import torch

    return {**task.collate(encoded, list(rows)), "rows": torch.tensor(list(rows))}


def _boundary(learner: Learner, batch: Mapping[str, Tensor]) -> str:
    """Find the last module before the head that contains no part of the head and no trained parameter.

    Raises:
        NotApplicable: a module below the head trains, is in training mode, or has a forward hook.
    """
    head = {id(module) for part in learner.head for module in part.modules()}
    if {id(parameter) for _, parameter in learner.trainable()} - {
        id(parameter) for parameter in learner.head_parameters()
    }:
        message = "parameters below the head are trained"
        raise NotApplicable(message)
    names = dict(_outermost(learner.model, head))
    order: list[str] = []
    hooks = [module.register_forward_hook(lambda *_, name=name: order.append(name)) for name, module in names.items()]
    hooks += [part.register_forward_pre_hook(lambda *_: order.append("")) for part in learner.head]
    try:
        learner.forward(batch)
    finally:
        for hook in hooks:
            hook.remove()
    below = order[: order.index("")] if "" in order else []
    if not below or order.count(below[-1]) != 1:
        message = "the frozen part cannot be separated from the head"
        raise NotApplicable(message)
    for part in names[below[-1]].modules():
        if part.training or _has_foreign_hook(part):
            why = "is in training mode" if part.training else "has a forward hook"
            message = f"a module of the frozen part, {type(part).__name__}, {why}"
            raise NotApplicable(message)
    return below[-1]


def _has_foreign_hook(module: nn.Module) -> bool:
    """Return whether a module has a forward hook other than those of transformers, which only record unused outputs."""
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]  # noqa: SLF001 - no public way
    return any(not str(getattr(hook, "__module__", "")).startswith("transformers.") for hook in hooks)


def _outermost(module: nn.Module, head: set[int], prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of the outermost modules that contain no part of the head."""
    for name, child in module.named_children():
        if not any(id(part) in head for part in child.modules()):
            yield prefix + name, child
        elif id(child) not in head:
            yield from _outermost(child, head, f"{prefix}{name}.")


def _lengths(learner: Learner, batch: Mapping[str, Tensor], tensor: Tensor) -> list[int] | None:
    """Return the length of each row of a tensor without padding; None if nothing is padded."""
    mask = batch.get("attention_mask")
    if mask is None or tensor.ndim < 2:
        return None
    real = mask.sum(1)
    if tensor.shape[1] == mask.shape[1]:
        return [int(length) for length in real]
    if learner.frames is not None and tensor.shape[1] == int(learner.frames(real.new_tensor(mask.shape[1]))):
        return [int(length) for length in learner.frames(real)]
    return None


def _joined(
    parts: Mapping[str, list[Tensor]], lengths: Mapping[str, list[int]], framed: Mapping[str, bool]
) -> Iterator[tuple[str, Tensor]]:
    """Join the rows of each tensor: `whole.…` if they have one shape, otherwise `values.…` and row `offsets.…`.

    Raises:
        NotApplicable: rows differ in shape, and padding does not explain it.
    """
    import torch

    for name, rows in parts.items():
        if lengths[name]:
            yield f"values.{name}", torch.cat(rows)
            yield f"offsets.{name}", torch.tensor([0, *np.cumsum(lengths[name]).tolist()])
            yield f"frames.{name}", torch.tensor(framed[name])
        elif len({row.shape for row in rows}) == 1:
            yield f"whole.{name}", torch.stack(rows)
        else:
            message = "the frozen part returns rows of different shapes for an unknown reason"
            raise NotApplicable(message)


def _inputs_hash(encoded: Encoded) -> str:
    """Hash all inputs of a split.

    Raises:
        NotApplicable: the split is too large to be read as a whole.
    """
    if isinstance(encoded, ChunkedEncoded):
        message = "a split this large is encoded chunk by chunk"
        raise NotApplicable(message)
    found = hashlib.sha256()
    for name, column in sorted(encoded.columns.items()):
        arrays = (column.values, column.offsets) if isinstance(column, Ragged) else (column,)
        for array in arrays:
            found.update(f"{name}:{array.dtype}:{array.shape}:".encode())
            found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:32]
