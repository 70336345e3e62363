"""From records to everything a report shows: summaries, comparisons, rankings, recommendations.

Imports `records`, `stats` and what lies below them; never torch, never `training`. Start with `run_summary`, then `summary`.
"""
