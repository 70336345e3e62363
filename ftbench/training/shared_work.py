"""What trials of one environment share: done by whoever needs it first, read by the others, charged to all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ..api.measurement import Shared
from ..cache import Cache, Tensors
from ..environment import environment
from ..fingerprint import core_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor

    from ..suite.trial import Trial
    from .phases import Phases


class Sharing:
    """One trial's way to what others have done.

    Args:
        trial: who asks.
        device: what it calls its device.
        cache: where outcomes lie.
        phases: reading and keeping are a phase of their own, `shared`.
        used: noted here what was used, done here or read.
        sign: called now and then while another trial does the work.
    """

    def __init__(
        self, trial: Trial, device: str, cache: Cache, *, phases: Phases, used: list[Shared], sign: Callable[[], None]
    ) -> None:
        self.trial, self._cache, self._phases, self._used, self._sign = trial, cache, phases, used, sign
        self._common = {
            "environment": environment(device),
            "core": core_sha256(),
            "threads": trial.threads,
        }

    def get(
        self, name: str, key: Any, make: Callable[[], Mapping[str, Tensor]], *, code: str = ""
    ) -> Mapping[str, Tensor]:
        """Give tensors, on the CPU, that others have made or will read; see `Bench.cached`.

        Args:
            name: what they are.
            key: what decides them beside the environment, the threads and the code.
            make: gives them.
            code: hash of the code that makes them; by default that of the whole trial.
        """
        phase = self._phases.current
        begun = len(self._used)
        spent = [0.0, 0.0]

        def made() -> Mapping[str, Tensor]:
            with self._phases.phase(phase):
                return make()

        def worth(seconds: float) -> float:
            """Add what making would have taken, had it not found a part of it done."""
            spent[:] = seconds, seconds + sum(shared.elsewhere for shared in self._used[begun:])
            return spent[1]

        with self._phases.phase("shared"):
            found = self._cache.get(
                name,
                {**self._common, "code": code or self.trial.code, "key": key},
                made,
                Tensors(),
                waiting=self._sign,
                worth=worth,
            )
        # What went into it is in its own seconds.
        self._used[begun:] = [Shared(name, phase, found.seconds, spent[0] if found.made else 0.0)]
        return found.value

    def content(self, stages: int) -> dict[str, Any]:
        """Give what decides data and first weights of the first stages of this trial."""
        content = self.trial.content
        return {
            "backbone": content["backbone"],
            "tasks": [stage["task"] for stage in content["stages"][:stages]],
            "split_seed": self.trial.split_seed,
            "seed": self.trial.seed,
        }


def tensors_hash(named: Iterable[tuple[str, Tensor]]) -> str:
    """Hash names, types, shapes and contents of tensors, whatever their order."""
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda pair: pair[0]):
        values = tensor.detach().cpu().contiguous()
        found.update(f"{name}:{values.dtype}:{tuple(values.shape)}:".encode())
        found.update(values.reshape(-1).view(torch.uint8).numpy().data if values.numel() else b"")
    return found.hexdigest()[:32]
