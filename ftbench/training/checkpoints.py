"""Store the checkpoints of a trial on disk: each is a folder that is written atomically and verified by its hashes.

trials/<id>/<environment>/checkpoints/<training>-<step>/position.json        position in the data, scores so far, hashes
                                                        /tensors.safetensors  weights, optimizer, generators
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunError
from ..files import check_version, parse_json, read_text, sync
from ..fingerprint import read_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor


SCHEMA = "ftbench.checkpoint/1"
POSITION, TENSORS = "position.json", "tensors.safetensors"
LAST = 2
"""Number of checkpoints kept of a running training; each contains the best weights."""
SHARE = 20
"""Minimum time between two checkpoints, as a multiple of the time that the last one took."""
LARGEST = 256 * 2**20
"""Maximum bytes of `position.json`."""
_MANY = 16
"""Lists of at least so many floats are stored as a tensor."""


class Checkpoints:
    """The checkpoints of one trial; only one process at a time may write them.

    Args:
        folder: the folder of the checkpoints; need not exist.
        every: minimum seconds between two checkpoints.
        trial: id of the trial; checkpoints of other trials are ignored.
    """

    def __init__(self, folder: Path, every: float, trial: str) -> None:
        self.folder, self.every, self.trial = folder, every, trial
        self._next = time.monotonic() + every
        for torn in folder.glob(".*"):
            shutil.rmtree(torn, ignore_errors=True)

    @property
    def due(self) -> bool:
        """Whether a checkpoint is due."""
        return time.monotonic() >= self._next

    def save(self, training: int, step: int, state: Any, *, ended: bool) -> None:
        """Write a checkpoint and remove those that it replaces.

        Args:
            training: number of the training in its trial.
            step: steps made in it.
            state: all that is needed to resume, of types that `pack` accepts.
            ended: whether the training is finished.

        Raises:
            OSError: the disk is full, or cannot be written.
            TypeError: the state contains a type that cannot be stored.
        """
        from safetensors.torch import save_file

        began = time.monotonic()
        name = f"{training}-{step}"
        temporary = self.folder / f".{name}.{os.getpid()}"
        packed, tensors = pack(state)
        temporary.mkdir(parents=True)
        try:
            save_file(tensors, temporary / TENSORS)
            sync(temporary / TENSORS)
            about = {
                "trial": self.trial,
                "training": training,
                "step": step,
                "ended": ended,
                "sha256": read_sha256(temporary / TENSORS),
            }
            content = json.dumps({**about, "state": packed}, sort_keys=True)
            table = {"schema": SCHEMA, "sha256": hashlib.sha256(content.encode()).hexdigest(), "content": content}
            (temporary / POSITION).write_text(json.dumps(table), encoding="utf-8")
            sync(temporary / POSITION)
            shutil.rmtree(self.folder / name, ignore_errors=True)
            temporary.rename(self.folder / name)
            sync(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for step_before, path in list(self._of(training))[1 if ended else LAST :]:
            if step_before < step:
                shutil.rmtree(path, ignore_errors=True)
        now = time.monotonic()
        self._next = now + max(self.every, SHARE * (now - began))

    def latest(self, training: int) -> Iterator[tuple[int, bool, Any]]:
        """Yield steps made, whether the training is finished, and the state of each intact checkpoint, latest first."""
        for _, path in list(self._of(training)):
            try:
                found = self._read(path, training)
            except (RunError, OSError, ValueError, KeyError, TypeError) as error:
                why = (str(error).splitlines() or [type(error).__name__])[0]
                print(f"checkpoint {path.name}: ignored: {why}")  # noqa: T201 - goes to the trial log
                continue
            yield found

    def forget(self, training: int) -> None:
        """Remove the checkpoints of a training and of all later ones."""
        for path in list(self.folder.glob("[0-9]*-[0-9]*")):
            if int(path.name.partition("-")[0]) >= training:
                shutil.rmtree(path, ignore_errors=True)

    def _of(self, training: int) -> Iterator[tuple[int, Path]]:
        """Yield step and folder of a training's checkpoints, latest first."""
        found = [
            (int(path.name.partition("-")[2]), path)
            for path in self.folder.glob(f"{training}-*")
            if path.name.partition("-")[2].isdigit()
        ]
        yield from sorted(found, reverse=True)

    def _read(self, path: Path, training: int) -> tuple[int, bool, Any]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        table = parse_json(read_text(path / POSITION, LARGEST), str(path))
        check_version(table["schema"], SCHEMA, str(path))
        if hashlib.sha256(table["content"].encode()).hexdigest() != table["sha256"]:
            raise RunError(f"{POSITION} is damaged")
        content = json.loads(table["content"])
        if (content["trial"], content["training"]) != (self.trial, training):
            raise RunError("belongs to another trial")
        if read_sha256(path / TENSORS) != content["sha256"]:
            raise RunError(f"{TENSORS} is damaged")
        try:
            return content["step"], content["ended"], unpack(content["state"], load_file(path / TENSORS))
        except SafetensorError as error:
            raise RunError(str(error)) from None


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Convert a value to JSON and tensors.

    Args:
        value: None, bool, int, float, str, list, tuple, dict, torch tensors and numpy arrays, nested to any depth.

    Returns:
        JSON in which numbers refer to tensors, and number → tensor: on the CPU, none sharing memory with another.

    Raises:
        TypeError: the value contains another type.
    """
    packer = _Packer()
    return packer.pack(value), packer.tensors


class _Packer:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._places: set[int] = set()

    def pack(self, value: Any) -> Any:
        # Exact types only: a subclass, such as numpy's integers, would be read back as another type.
        if value is None or type(value) in (bool, int, str):
            return value
        kind, content = self._converted(value)
        return content if kind == "list" else {kind: content}

    def _converted(self, value: Any) -> tuple[str, Any]:
        """Return the kind of a value and its packed content."""
        import torch

        kinds: dict[type, tuple[str, Callable[[Any], Any]]] = {
            float: ("float", float.hex),
            torch.Tensor: ("tensor", self._add),
            torch.nn.Parameter: ("tensor", self._add),
            np.ndarray: (
                "array",
                lambda array: self._add(torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape)),
            ),
            tuple: ("tuple", lambda items: [self.pack(item) for item in items]),
            dict: ("dict", lambda table: [[self.pack(key), self.pack(item)] for key, item in table.items()]),
            defaultdict: ("dict", lambda table: [[self.pack(key), self.pack(item)] for key, item in table.items()]),
            list: ("list", lambda items: [self.pack(item) for item in items]),
        }
        if type(value) not in kinds:
            message = f"a {type(value).__name__} cannot be stored in a checkpoint"
            raise TypeError(message)
        if type(value) is list and len(value) >= _MANY and all(type(item) is float for item in value):
            return "floats", self._add(torch.tensor(value, dtype=torch.float64))
        kind, content = kinds[type(value)]
        return kind, content(value)

    def _add(self, tensor: Tensor) -> str:
        own = tensor.detach().to("cpu").contiguous()
        if own.untyped_storage().nbytes() != own.nbytes or own.data_ptr() in self._places:
            own = own.clone()
        if own.nbytes:
            self._places.add(own.data_ptr())
        name = str(len(self.tensors))
        self.tensors[name] = own
        return name


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Restore a value from what `pack` returned.

    Raises:
        ValueError: the JSON is not from `pack`.
    """
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "float":
        return float.fromhex(content)
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    if kind == "dict":
        return {unpack(key, tensors): unpack(item, tensors) for key, item in content}
    if kind in ("tensor", "array", "floats"):
        found = tensors[content]
        return found if kind == "tensor" else found.numpy() if kind == "array" else found.tolist()
    message = f"{kind!r} is not a kind of packed value"
    raise ValueError(message)
