"""Random changes of texts; their words are what spaces separate."""
