"""What a trial's training takes, worked out once for all its seeds and kept on disk."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...errors import NotApplicable, NotMeasured, UserError
from ...fingerprint import core_sha256, digest, remembered, software
from ..seeding import seeds_kept
from .accounting import Accounting
from .configuration import account_cell, cell_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...api.catalog import Catalog
    from ...api.encoded import Encoded
    from ...suite.trial import Trial
    from .accounting import Kernels


def account_once(trial: Trial, catalog: Catalog, cache: Path, seen: Sequence[Encoded] = ()) -> Accounting:
    """Account for a trial's training by fake tensors with the kernels of its device, or read what the trial of another seed found.

    No source of randomness moves.

    Args:
        trial: whose training.
        catalog: what the plugins offer.
        cache: the folder of what can be computed again.
        seen: the training split of each stage as the backbone reads it, where that is known already.

    Raises:
        NotMeasured: it cannot be gone through without values; the message says why.
    """
    target: Kernels = "cuda" if trial.device == "cuda" else "cpu"

    def make() -> dict[str, Any]:
        try:
            return asdict(account_cell(cell_of(trial), catalog, target=target, seen=seen)[0])
        except (NotApplicable, UserError) as error:
            return {"reason": str(error)}

    with seeds_kept():
        found = remembered("accounting", digest(_identity(trial, target)), make, cache)
    if "reason" in found:
        raise NotMeasured(found["reason"])
    return Accounting.of_table(found)


def _identity(trial: Trial, target: Kernels) -> dict[str, Any]:
    """Give all that decides the answer: the seed does not."""
    return {**trial.content, "code": [trial.code, core_sha256()], "software": software(), "target": target}
