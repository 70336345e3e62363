"""Run trials from outside: schedule them, start their processes, assign devices, and record how they ended.

This package imports all lower layers but never torch; only `preload` does, inside the fork server. Start reading with
`runner`, then `trial_loop` and `trial_process`.
"""
