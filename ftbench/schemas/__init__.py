"""The published JSON Schemas, and `build`, which writes them from the types.

Imports anything it describes; nothing imports it. Start with `build`.
"""
