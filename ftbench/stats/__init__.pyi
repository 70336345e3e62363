from .effect_size import Effect, effect
from .estimates import Difference, Estimate, Interval, Verdict, estimate, lower_bound, paired, upper_bound
from .jackknife import f1, macro_f1, pseudo_values, ratio
from .multiplicity import Comparison, adjusted, benjamini_hochberg, compare_all, compare_with, holm
from .power import detectable, power_of, seeds_for

__all__ = [
    "Comparison",
    "Difference",
    "Effect",
    "Estimate",
    "Interval",
    "Verdict",
    "adjusted",
    "benjamini_hochberg",
    "compare_all",
    "compare_with",
    "detectable",
    "effect",
    "estimate",
    "f1",
    "holm",
    "lower_bound",
    "macro_f1",
    "paired",
    "power_of",
    "pseudo_values",
    "ratio",
    "seeds_for",
    "upper_bound",
]
