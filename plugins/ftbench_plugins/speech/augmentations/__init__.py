"""Sound augmentations."""
