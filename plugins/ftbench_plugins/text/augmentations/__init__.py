"""Text augmentations; words are separated by spaces."""
