"""Statistics on plain arrays: estimates, tests, corrections, ranks, fronts.

Imports numpy and scipy, `formatting` and `errors`; knows nothing of records, trials or suites. Start with `estimates`.
"""
