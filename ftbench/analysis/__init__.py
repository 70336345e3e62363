"""Turn records into everything a report shows: summaries, comparisons, rankings, recommendations.

Imports `records`, `stats` and the layers below them, never torch or `training`. Start with `run_summary`, then
`summary`.
"""
