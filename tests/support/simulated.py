"""Scores whose truth is known, for simulations."""

import numpy as np
from ftbench.reporting import Contender, Quantity
from ftbench.stats import estimate
from ftbench.stats.item_scores import Items


def crossed_scores(rng, *, seeds, items, of_seeds=0.01, of_items=0.3, residual=0.3):
    """Give scores of mean 0 with effects of seeds, of items and of both, [seeds, items]."""
    return (
        rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, of_items, items) + rng.normal(0, residual, (seeds, items))
    )


def answers(rng, *, strategies, seeds, items, own=0.0, of_seeds=0.1, skill=0.0, groups=None, of_groups=0.0):
    """Give right (1) and wrong (0) answers, [strategies, seeds, items], all tested on the same items.

    A strategy's chance with an item depends on the item's difficulty, on what it makes of this item (`own`) or of its group, and on
    the luck of a seed; `skill`, one a strategy, is what no seed and no item takes away.
    """
    logits = rng.normal(1, 1, items) + rng.normal(0, own, (strategies, 1, items))
    if groups is not None:
        logits = logits + rng.normal(0, of_groups, (strategies, 1, max(groups) + 1))[:, :, groups]
    logits = logits + np.reshape(skill, (-1, 1, 1)) + rng.normal(0, of_seeds, (strategies, seeds, 1))
    return (rng.random((strategies, seeds, items)) < 1 / (1 + np.exp(-logits))).astype(float)


def contenders(found, groups=()):
    """Make contenders of answers, as a summary has them, with the items they were tested on."""
    return [
        Contender(
            label=f"strategy-{place}",
            strategy=f"strategy-{place}",
            backbone="b",
            statuses={"ok": len(scores)},
            quantities={
                "accuracy": Quantity(
                    "accuracy", "1", "higher", "", estimate(scores.mean(1)), None, (), dict(enumerate(scores.mean(1)))
                )
            },
            by_task={},
            lr=None,
            learning={},
            confusion={},
            phases={},
            items={
                seed: Items("accuracy", "the same", row, np.asarray(groups, int)) for seed, row in enumerate(scores)
            },
        )
        for place, scores in enumerate(found)
    ]
