"""From a TOML file to trials: parsing, validation, planning, and which tuning trial comes next.

Imports `api` and the ground files; never torch. Start with `parser`, then `planning`.
"""
