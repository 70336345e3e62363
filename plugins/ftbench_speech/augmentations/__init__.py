"""Random changes of sounds."""
