"""The contracts a plugin implements, the values it is handed, and the bases it may build on.

Imports the ground files only (no torch at import, no other room). Start with `strategy`, `task` and `backbone`.
"""
