"""Turn a user's rows into encoded data: locate, read, check, split and encode them.

Imports only `suite`, `api` and the rooms below. Start with `user_data`, then `encoding`.
"""
