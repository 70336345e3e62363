"""Gate checks with every verdict, and with names that need escaping in every output format."""

from ftbench.gate.checks import Check
from ftbench.gate.formats import Gated
from ftbench.records.record_set import Place

FULL, LORA = Place("digits", "tiny-vit", "full"), Place("digits", "tiny-vit", "lora")
ODD = Place('a|b <i>"x"</i>', "b&b", "50%, yes: no\nnever\x00]]>")

CHECKS = (
    Check("ok", FULL, "trainable_parameters", "exact", "540,170 parameters on 3 seeds"),
    Check(
        "regressed",
        LORA,
        "accuracy",
        "quality",
        "66.7 → 41.1 % (−25.6 points, allowed −1.0); 95 % interval [−31.9, −19.2] over 3 pairs, p 0.0017",
    ),
    Check(
        "changed",
        FULL,
        "loss_trace",
        "trace",
        "seed 0, digits: the training loss diverges at point 7 of 12: 2.31 → 2.32",
    ),
    Check("not comparable", FULL, "throughput", "speed", 'hardware.cpu: "A" → "B"', gating=False),
    Check("not comparable", LORA, "throughput", "speed", 'hardware.cpu: "A" → "B"', gating=False),
    Check(
        "inconclusive",
        FULL,
        "accuracy",
        "quality",
        "50.0 → 49.0 % (−1.0 points, allowed −1.0); 95 % interval [−9.0, +7.0] over 3 pairs, p 0.4",
    ),
    Check(
        "accepted",
        LORA,
        "planned_steps",
        "exact",
        "must be equal: 12 steps → 13 steps (+8.3 %) on 3 of 3 seeds; accepted: one more",
    ),
    Check("missing", ODD, "trials", "exact", "seed 1 of runs/x: error: `boom` @somebody ::error::"),
    Check("not comparable", ODD, "accuracy", "quality", 'software.torch: "1" → "2"', task="old|task"),
    Check("not comparable", ODD, "flops_per_step", "exact", 'software.torch: "1" → "2"'),
)

GATED = Gated("runs/tiny", "base`line`.zip", "tiny", CHECKS)


def many(count, verdict="regressed"):
    """Return `count` checks with long texts, one per strategy."""
    return tuple(
        Check(verdict, Place("digits", "tiny-vit", f"strategy-{n}"), "accuracy", "quality", f"number {n} " + "x" * 200)
        for n in range(count)
    )
