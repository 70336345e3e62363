"""The torch parts of the strategies, so that the strategy files import without torch."""
