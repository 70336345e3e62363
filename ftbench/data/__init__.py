"""From a user's rows to batches: locating, reading, checking, splitting, encoding, loading.

Imports `suite`, `api` and the ground files. Start with `user_data`, then `encoding` and `loader`.
"""
