"""Recognise how table files are written, read their rows, and store them as Arrow files.

Imports `fingerprint` and `errors`. Start with `delimited_files`.
"""
