"""Published runs: bundles read without trust, grouped, ranked and written as a site.

Imports `analysis`, `records` and what lies below them. Start with `entry`, then `leaderboard`.
"""
