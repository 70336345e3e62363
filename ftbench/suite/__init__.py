"""Turn a TOML file into trials: parse, validate, plan, and choose the next tuning trial.

Imports only `api` and the rooms below it, and never torch. Start with `parser`, then `planning`.
"""
