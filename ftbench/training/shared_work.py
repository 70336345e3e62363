"""Share work between the trials of one environment: the first computes it, others read it, all are charged for it."""

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
    """One trial's access to shared work.

    Args:
        trial: the trial that asks.
        device: the trial's name for its device.
        cache: holds the results of shared work.
        phases: reading and writing the cache is charged to a phase of its own, `shared`.
        used: receives an entry for all shared work that was used, whether computed here or read.
        heartbeat: called now and then while another trial does the work.
    """

    def __init__(
        self,
        trial: Trial,
        device: str,
        cache: Cache,
        *,
        phases: Phases,
        used: list[Shared],
        heartbeat: Callable[[], None],
    ) -> None:
        self.trial, self._cache, self._phases, self._used, self._heartbeat = trial, cache, phases, used, heartbeat
        self._common = {
            "environment": environment(device),
            "core": core_sha256(),
            "threads": trial.threads,
        }

    def get(
        self, name: str, key: Any, make: Callable[[], Mapping[str, Tensor]], *, code: str = ""
    ) -> Mapping[str, Tensor]:
        """Return tensors, on the CPU, that another trial has computed or that others will read; see `Bench.cached`.

        Args:
            name: what they are.
            key: a JSON value of everything they depend on besides the environment, the threads and the code.
            make: computes them.
            code: hash of the code that computes them; by default that of the whole trial.
        """
        phase = self._phases.current
        begun = len(self._used)
        spent = [0.0, 0.0]

        def made() -> Mapping[str, Tensor]:
            with self._phases.phase(phase):
                return make()

        def worth(seconds: float) -> float:
            """Add the time saved because some of the work used by `make` was already done."""
            spent[:] = seconds, seconds + sum(shared.elsewhere for shared in self._used[begun:])
            return spent[1]

        with self._phases.phase("shared"):
            found = self._cache.get(
                name,
                {**self._common, "code": code or self.trial.code, "key": key},
                made,
                Tensors(),
                waiting=self._heartbeat,
                worth=worth,
            )
        # The shared work that `make` used is included in these seconds, so this entry replaces its entries.
        self._used[begun:] = [Shared(name, phase, found.seconds, spent[0] if found.made else 0.0)]
        return found.value

    def content(self, stages: int) -> dict[str, Any]:
        """Return everything that decides data and initial weights of this trial's first `stages` stages."""
        content = self.trial.content
        return {
            "backbone": content["backbone"],
            "tasks": [stage["task"] for stage in content["stages"][:stages]],
            "split_seed": self.trial.split_seed,
            "seed": self.trial.seed,
        }


def tensors_hash(named: Iterable[tuple[str, Tensor]]) -> str:
    """Hash names, types, shapes and contents of tensors; their order does not matter."""
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda pair: pair[0]):
        values = tensor.detach().cpu().contiguous()
        found.update(f"{name}:{values.dtype}:{tuple(values.shape)}:".encode())
        found.update(values.reshape(-1).view(torch.uint8).numpy().data if values.numel() else b"")
    return found.hexdigest()[:32]
