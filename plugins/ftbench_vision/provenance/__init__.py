"""How the weights of `tiny-vit` were made; nothing here runs in a trial."""
