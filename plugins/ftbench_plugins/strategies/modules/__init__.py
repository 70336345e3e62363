"""Torch code of the strategies, separate so that the strategy files import without torch."""
