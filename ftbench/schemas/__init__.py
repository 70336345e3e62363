"""The published JSON Schemas, and `build`, which generates them from the Python types.

No other part of ftbench imports it. Start with `build`.
"""
