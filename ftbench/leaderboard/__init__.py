"""Leaderboards: read untrusted bundles, group and rank their runs, and write them as a static site.

Imports `analysis`, `records` and the modules below them. Start with `entry`, then `leaderboard`.
"""
