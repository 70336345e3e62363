"""How the weights of `tiny-vit` were made; no trial runs this code."""
