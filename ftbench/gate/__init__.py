"""Check a run against a baseline: what got worse, what is missing, and with how much confidence.

Imports `runner`, `analysis`, `records` and the modules below them. Start with `gate`, then `checks`.
"""
