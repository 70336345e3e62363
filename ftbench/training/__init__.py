"""What happens inside one trial's process: set up, train, score.

Imports `data`, `records`, `suite`, `api` and the ground files; the room where torch is at home. Start with `trial`, then `bench` and `loop`.
"""
