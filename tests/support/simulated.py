"""Simulated scores with known true effects."""

import numpy as np
from ftbench.reporting import Contender, Quantity
from ftbench.stats import estimate
from ftbench.stats.item_scores import Items


def crossed_scores(rng, *, seeds, items, of_seeds=0.01, of_items=0.3, residual=0.3):
    """Return scores of mean 0 with seed effects, item effects and a residual, [seeds, items]."""
    return (
        rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, of_items, items) + rng.normal(0, residual, (seeds, items))
    )


def answers(rng, *, strategies, seeds, items, own=0.0, of_seeds=0.1, skill=0.0, groups=None, of_groups=0.0):
    """Return correct (1) and wrong (0) predictions, [strategies, seeds, items], all on the same items.

    The log-odds of a correct prediction are the sum of the item's difficulty, the strategy's effect on the item (`own`)
    and on its group (`of_groups`), the effect of the seed (`of_seeds`), and the strategy's `skill`, one value each.
    """
    logits = rng.normal(1, 1, items) + rng.normal(0, own, (strategies, 1, items))
    if groups is not None:
        logits = logits + rng.normal(0, of_groups, (strategies, 1, max(groups) + 1))[:, :, groups]
    logits = logits + np.reshape(skill, (-1, 1, 1)) + rng.normal(0, of_seeds, (strategies, seeds, 1))
    return (rng.random((strategies, seeds, items)) < 1 / (1 + np.exp(-logits))).astype(float)


def contenders(found, groups=()):
    """Return contenders for scores [strategies, seeds, items], as a summary contains them, with their item scores."""
    return [
        Contender(
            label=f"strategy-{number}",
            strategy=f"strategy-{number}",
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
        for number, scores in enumerate(found)
    ]
