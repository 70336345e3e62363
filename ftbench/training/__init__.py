"""The code that runs in a trial's process: set up, train, score.

Imports `data`, `records`, `suite`, `api` and the ground files; the only package that is built around torch. Start with
`trial`, then `bench` and `loop`.
"""
