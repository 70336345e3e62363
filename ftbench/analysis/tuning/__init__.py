"""Results of a tuning: which values each strategy got, what they changed, and what the search cost.

Imports from the rest of `analysis`, not the other way round, except for its values. Start with `tuned`.
"""
