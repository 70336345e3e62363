"""What a run directory or a bundle holds, written atomically and read without trust.

Imports `suite`, `api` and the ground files; never torch. Start with `record`, then `store`.
"""
