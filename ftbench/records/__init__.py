"""Run directories and bundles: write them atomically, and read them without trusting them.

Imports `suite`, `api` and the modules below them, never torch. Start with `record`, then `store`.
"""
