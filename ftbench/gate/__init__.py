"""A run checked against a baseline: what got worse, what is missing, and how sure that is.

Imports `runner`, `analysis`, `records` and what lies below them. Start with `gate`, then `checks`.
"""
